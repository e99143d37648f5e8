"""Weights of other programs: whatever torch itself would load is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel

from relativenas_optuna.networks import build, load_network, network_bytes
from relativenas_optuna.networks.io.foreign_state import unwrapped
from relativenas_optuna.networks.io.tensors_file import from_bytes, to_bytes
from tests.helpers.networks import golden
from tests.helpers.tiny_search import same_bits
from tests.helpers.trained_network import DESCRIPTION, refusal

State = dict[str, torch.Tensor]
COUNTER = "num_batches_tracked"


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


def averaged(state: State) -> State:
    network = build("RelativeNAS", channels=4, cells=5, num_classes=7, auxiliary=True)
    network.load_state_dict(state)
    return dict(AveragedModel(network).state_dict())


def compiled_inside(state: State) -> State:
    return {name.replace("cells.1.", "cells.1._orig_mod."): state[name] for name in state}


WRAPPINGS = {
    "module": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("module._orig_mod."),
    "lightning": prefixed("model.network._orig_mod."),
    "averaged": averaged,
    "compiled inside": compiled_inside,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=WRAPPINGS)
def test_names_of_wrapped_networks_lose_the_wrapping(wrapping: Callable[[State], State]) -> None:
    state = dict(golden().state)
    assert same_bits(unwrapped(wrapping(state)), state)


def test_names_of_no_network_stay() -> None:
    for names in (["x.a", "x.b"], ["cells.0.a", "cells.1.b"], ["module.a", "a"], []):
        state = {name: torch.zeros(1) for name in names}
        assert list(unwrapped(state)) == names


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_without_counters_or_in_half_precision_are_loaded(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"w.{suffix}"
    state = {
        f"module.{name}": tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in golden().state.items()
        if not name.endswith(COUNTER)
    }
    if suffix == "pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    loaded = build("RelativeNAS", weights=path).state_dict()
    for name, tensor in loaded.items():
        if name.endswith(COUNTER):
            assert tensor == 0
        else:
            assert torch.equal(tensor, golden().state[name].half().float())


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_counters_that_are_no_whole_numbers_are_taken(kind: torch.dtype, tmp_path: Path) -> None:
    state = {name: tensor.to(kind) for name, tensor in golden().state.items()}
    assert {tensor.dtype for tensor in state.values()} == {kind}
    torch.save(state, tmp_path / "w.pt")
    loaded = build("RelativeNAS", weights=tmp_path / "w.pt").state_dict()
    for name, tensor in loaded.items():
        assert torch.equal(tensor, state[name].to(tensor.dtype))


def test_a_described_file_without_counters_is_loaded(tmp_path: Path) -> None:
    state, metadata = from_bytes(network_bytes(DESCRIPTION.build(), DESCRIPTION))
    kept = {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}
    (tmp_path / "w.safetensors").write_bytes(to_bytes(kept, metadata))
    assert same_bits(load_network(tmp_path / "w.safetensors")[0].state_dict(), state)


def test_other_tensors_are_still_missed(tmp_path: Path) -> None:
    state = {n: t for n, t in golden().state.items() if not n.endswith("running_mean")}
    torch.save(state, tmp_path / "w.pt")
    line = refusal(lambda: build("RelativeNAS", weights=tmp_path / "w.pt"))
    assert "stem.1.running_mean is missing" in line
