from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna.networks.io.tensors_file import from_bytes, replaced, to_bytes
from relativenas_optuna.training import load, save


def sample() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 2, 2, generator=generator)
    return {
        "weight": weight.contiguous(memory_format=torch.channels_last),
        "half": weight[:1].to(torch.float16),
        "count": torch.tensor(2**40),
        "strange": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    }


def test_what_was_saved_is_loaded_to_the_last_bit(tmp_path: Path) -> None:
    save(tmp_path / "w.safetensors", sample(), {"version": "3", "text": "ü\n"})
    tensors, metadata = load(tmp_path / "w.safetensors")
    assert metadata == {"version": "3", "text": "ü\n"}
    assert tensors.keys() == sample().keys()
    for name, tensor in sample().items():
        assert tensors[name].dtype == tensor.dtype
        assert tensors[name].shape == tensor.shape
        contiguous = [part.reshape(-1).contiguous() for part in (tensors[name], tensor)]
        assert torch.equal(*(part.view(torch.uint8) for part in contiguous))


def test_without_metadata_an_empty_one_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "w", {"a": torch.zeros(2)}, {})
    assert load(tmp_path / "w")[1] == {}


def test_loaded_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "w"
    save(path, {"a": torch.ones(100_000)}, {})
    tensors, _ = load(path)
    os.truncate(path, 0)
    assert tensors["a"].sum() == 100_000


def test_a_saved_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "w", {"a": torch.tensor(number)}, {})
    assert load(tmp_path / "w")[0]["a"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write_whole(tmp_path / "w", b"old")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr({"fsync": os, "replace": Path}[step], step, fail)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "w", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_content_is_on_disk_before_the_name_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        steps.append("fsync file" if not (tmp_path / "w").exists() else "fsync folder")
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_whole(tmp_path / "w", b"new")
    assert steps == ["fsync file", "rename", "fsync folder"]


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match="weights file") as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("kept", [0, 4, 60, 150, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "w"
    save(path, sample(), {})
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged or not a safetensors file" in refusal(path)


@pytest.mark.parametrize("content", [b"\x80\x04\x95pickle", b"PK\x03\x04" * 20, b"\xff" * 64])
def test_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w"
    path.write_bytes(content)
    assert "is damaged or not a safetensors file" in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "w").endswith("does not exist")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is damaged or not a safetensors file" in refusal(tmp_path)


# --- content


@given(st.lists(st.sampled_from(sorted(sample())), unique=True), st.data())
def test_replaced_tensors_are_those_that_would_have_been_written(
    names: list[str], data: st.DataObject
) -> None:
    new = {name: sample()[name] * data.draw(st.integers(-5, 5)) for name in names}
    metadata = {"search": "s"}
    written = to_bytes(sample(), metadata)
    assert replaced(written, new) == to_bytes(sample() | new, metadata)
    assert written == to_bytes(sample(), metadata)


@pytest.mark.parametrize("name", ["weight", "missing", "__metadata__"])
def test_a_tensor_of_another_size_or_name_is_not_replaced(name: str) -> None:
    with pytest.raises(ValueError, match=f"no tensor {name} of 24 bytes"):
        replaced(to_bytes(sample(), {"a": "b"}), {name: torch.zeros(3, dtype=torch.int64)})


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        from_bytes(content)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_content_with_any_part_changed_is_refused_or_read(data: st.DataObject) -> None:
    content = to_bytes(sample(), {"a": "b"})
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 3, len(content))))
    changed = content[:start] + data.draw(st.binary(max_size=3)) + content[end:]
    try:
        tensors, _ = from_bytes(changed)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most changes are refused, not all
    else:
        assert all(isinstance(tensor, Tensor) for tensor in tensors.values())
