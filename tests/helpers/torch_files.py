"""Files as torch.save writes them, changed ones, and why they are refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from relativenas_optuna.networks.io.torch_file import read_pt

State = Mapping[str, Tensor]
FEW: State = {"a": torch.arange(200.0), "b": torch.arange(3)}


def content_of(data: object, *, legacy: bool = False) -> bytes:
    """Return the bytes that torch.save writes; `legacy` for the format before torch 1.6."""
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
    """Return an archive of torch.save with another pickle, or compressed."""
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
    """Return the message by which a file is refused: one short line that names the file."""
    with pytest.raises(ValueError, match="weights file") as caught:
        read_pt(path)
    message = str(caught.value)
    assert message.startswith(f"weights file {str(path)!r} ")
    assert message.isprintable()
    assert len(message) < 300 + len(str(path))
    return message
