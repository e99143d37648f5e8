"""Files of `torch.save` that are damaged, hold something else, or promise what they do not hold."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna.networks.io.torch_file import read_pt
from tests.helpers.networks import golden
from tests.helpers.torch_files import FEW, State, content_of, refusal, repacked, replaced, saved


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
