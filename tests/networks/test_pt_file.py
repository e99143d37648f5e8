"""Files of `torch.save`: the published weights in every dress, and what is refused unrun."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from relativenas_optuna.networks import build
from relativenas_optuna.networks.pt_file import read_pt
from tests.networks.helpers import golden
from tests.tiny import same_bits

State = Mapping[str, Tensor]
FEW: State = {"a": torch.arange(200.0), "b": torch.arange(3)}


def content_of(data: object, *, legacy: bool = False) -> bytes:
    """What torch.save writes; legacy: as before torch 1.6, so as the published weights."""
    content = io.BytesIO()
    torch.save(data, content, _use_new_zipfile_serialization=not legacy)
    return content.getvalue()


def saved(folder: Path, data: object, *, legacy: bool = False) -> Path:
    path = folder / "weights.pt"
    path.write_bytes(content_of(data, legacy=legacy))
    return path


def repacked(
    content: bytes, change: Callable[[bytes], bytes], packing: int = zipfile.ZIP_STORED
) -> bytes:
    """An archive of torch.save with another pickle, or packed."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(packed, "w", packing) as target,
    ):
        for name in source.namelist():
            part = source.read(name)
            target.writestr(name, change(part) if name.endswith("data.pkl") else part)
    return packed.getvalue()


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(part: bytes) -> bytes:
        assert old in part
        return part.replace(old, new)

    return change


def refusal(path: Path) -> str:
    """Why a file is refused: one line that names it, and is no longer than a screen."""
    with pytest.raises(ValueError, match="weights file") as caught:
        read_pt(path)
    message = str(caught.value)
    assert message.startswith(f"weights file {str(path)!r} ")
    assert message.isprintable()
    assert len(message) < 300 + len(str(path))
    return message


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


# --- damage


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(kept: float, legacy: bool, tmp_path: Path) -> None:
    path = saved(tmp_path, golden().state, legacy=legacy)
    os.truncate(path, int(kept * path.stat().st_size))
    assert refusal(path).endswith("is damaged or was not written by torch.save")


_HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@_HERE
@given(changed=st.data(), legacy=st.booleans())
def test_any_change_is_refused_in_one_line_or_read(
    changed: st.DataObject, legacy: bool, tmp_path: Path
) -> None:
    content = bytearray(content_of(FEW, legacy=legacy))
    for _ in range(changed.draw(st.integers(1, 3))):
        content[changed.draw(st.integers(0, len(content) - 1))] = changed.draw(st.integers(0, 255))
    path = tmp_path / "w"
    path.write_bytes(content)
    try:
        found = read_pt(path)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - most changes are refused, not all
    else:
        assert sum(tensor.nbytes for tensor in found.values()) <= 4 * len(content)


@_HERE
@given(content=st.binary(max_size=100) | st.binary(max_size=100).map(lambda b: b"PK\x03\x04" + b))
def test_other_content_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(content)
    refusal(tmp_path / "w")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pt").endswith("does not exist")
    assert refusal(tmp_path).endswith("cannot be read: Is a directory")


# --- promises


def test_a_tensor_that_goes_on_behind_its_file_is_refused(tmp_path: Path) -> None:
    # 200 numbers, twice: in the storage and in the tensor; now it is 61,440.
    longer = repacked(content_of(FEW), replaced(b"K\xc8", b"M\x00\xf0"))
    (tmp_path / "w").write_bytes(longer)
    assert refusal(tmp_path / "w").endswith("is damaged or was not written by torch.save")


def test_an_archive_that_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    content = content_of({"a": torch.zeros(10**6)})
    packed = repacked(content, lambda part: part, zipfile.ZIP_DEFLATED)
    assert len(packed) < len(content) / 100
    (tmp_path / "w").write_bytes(packed)
    assert refusal(tmp_path / "w").endswith("is damaged or was not written by torch.save")


@pytest.mark.parametrize(
    "state",
    [
        {"a": torch.zeros(1).expand(10**12)},
        {f"a{i}": tensor for tensor in [torch.zeros(20_000)] for i in range(100)},
        {"a": torch.zeros(5_000_000)[:1], "b": torch.zeros(1).expand(10**5, 10**5)},
    ],
    ids=["stretched", "shared", "beside"],
)
def test_tensors_that_would_take_more_memory_than_the_file_are_refused(
    state: State, tmp_path: Path
) -> None:
    assert "they would take" in refusal(saved(tmp_path, state))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(2).to_sparse(),
        torch.zeros(2, dtype=torch.complex64),
        torch.empty(2, device="meta"),
        torch.zeros(2).to(torch.float8_e5m2),
    ],
    ids=["sparse", "complex", "meta", "float8"],
)
def test_what_is_no_array_of_numbers_is_refused(tensor: Tensor, tmp_path: Path) -> None:
    assert "no plain tensor under 'a\\x1b'" in refusal(saved(tmp_path, {"a\x1b": tensor}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1, 2], "holds no state dict, but list"),
        ({}, "holds no state dict, but dict"),
        (torch.zeros(2), "holds no state dict, but Tensor"),
        ({"state_dict": {}}, "holds no state dict, but dict"),
        ({"a": torch.zeros(2), "b": 3}, "holds no state dict: 'b' is int"),
        ({3: torch.zeros(2)}, "holds no state dict: 3 is Tensor"),
        ({"x" * 9999: 3}, "holds no state dict: 'xxx"),
    ],
)
def test_what_is_no_state_dict_is_refused(data: object, said: str, tmp_path: Path) -> None:
    assert said in refusal(saved(tmp_path, data))
