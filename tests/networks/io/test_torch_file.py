"""Files of `torch.save`: the published weights in every dress, and what is refused unrun."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from relativenas_optuna.networks import build
from relativenas_optuna.networks.io.torch_file import read_pt
from tests.helpers.networks import golden
from tests.helpers.tiny_search import same_bits
from tests.helpers.torch_files import FEW, State, content_of, refusal, repacked, replaced, saved


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


def of_a_parallel_network(state: State) -> object:
    network = build("RelativeNAS", channels=4, cells=5, num_classes=7, auxiliary=True)
    network.load_state_dict(state)
    return {"net": nn.DataParallel(network).state_dict(), "epoch": 599}


# --- the published weights


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "dress",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 599, "best_acc_top1": 97.74},
        lambda state: {"model": {"state_dict": state}, "arch": "RelativeNAS", "args": ["x", None]},
        of_a_parallel_network,
        prefixed("module."),
        prefixed("module._orig_mod."),
        prefixed("_orig_mod.module."),
    ],
    ids=["plain", "dict", "nested", "parallel", "module", "compiled", "compiled parallel"],
)
def test_published_weights_are_read_as_they_were(
    dress: Callable[[State], object], legacy: bool, tmp_path: Path
) -> None:
    path = saved(tmp_path, dress(golden().state), legacy=legacy)
    assert same_bits(read_pt(path), golden().state)


def test_published_weights_give_their_logits_and_leave_the_file_alone(tmp_path: Path) -> None:
    path = saved(tmp_path, prefixed("module.")(golden().state), legacy=True)
    network = build("RelativeNAS", weights=path).eval()
    torch.testing.assert_close(network(golden().images), golden().logits, rtol=0, atol=1e-5)
    with torch.no_grad():
        network.classifier.weight.zero_()
    read = read_pt(path)
    assert torch.equal(read["classifier.weight"], golden().state["classifier.weight"])


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_of_a_gpu_are_read_where_there_is_none(legacy: bool, tmp_path: Path) -> None:
    word, elsewhere = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    content = content_of(FEW, legacy=legacy)
    change = replaced(word, elsewhere)
    (tmp_path / "w").write_bytes(change(content) if legacy else repacked(content, change))
    assert same_bits(read_pt(tmp_path / "w"), FEW)


def test_half_precision_becomes_single_and_counts_stay_whole(tmp_path: Path) -> None:
    of_each = {
        str(kind): torch.tensor([1.5, -2.0]).to(kind)
        for kind in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool)
    }
    for name, tensor in read_pt(saved(tmp_path, of_each)).items():
        floating = of_each[name].is_floating_point()
        assert tensor.dtype == (torch.float32 if floating else of_each[name].dtype)
        assert torch.equal(tensor, of_each[name].to(tensor.dtype))


def test_what_is_read_outlives_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": torch.ones(100_000)})
    found = read_pt(path)
    os.truncate(path, 0)
    assert found["a"].sum() == 100_000


# --- code


class Calling:
    """Pickled, it is a call."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._calls = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._calls


@pytest.mark.parametrize("form", ["archive", "legacy", "pickle"])
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, exec])
def test_code_is_refused_and_not_run(
    call: Callable[..., object], inside: bool, form: str, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    words = {os.mkdir: str(made), os.system: f"mkdir {made}"}
    code = Calling(call, words.get(call, f"__import__('os').mkdir({str(made)!r})"))
    data = {"state_dict": {**golden().state, "more": code}} if inside else code
    if form == "pickle":
        path = tmp_path / "weights.pt"
        path.write_bytes(pickle.dumps(data))
    else:
        path = saved(tmp_path, data, legacy=form == "legacy")
    line = refusal(path)
    assert not made.exists()
    if form != "pickle":
        assert re.search(rf"holds code or objects beside tensors \((\w+\.)?{call.__name__}\)", line)
        assert "have its author save network.state_dict() alone" in line
        # The file does what it is refused for.
        torch.load(path, weights_only=False)
        assert made.exists()


def test_a_whole_network_and_a_script_are_refused(tmp_path: Path) -> None:
    line = refusal(saved(tmp_path, nn.Linear(2, 2)))
    assert "(torch.nn.modules.linear.Linear)" in line
    jit: Any = torch.jit
    with pytest.warns(FutureWarning):
        jit.save(jit.script(nn.Linear(2, 2)), tmp_path / "script.pt")
    assert refusal(tmp_path / "script.pt").endswith("or was not written by torch.save")
