"""Safetensors files: written whole or not at all, and checked when they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors.numpy
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from relativenas_optuna._utils.files import write_whole

_LONGEST_REASON = 300
_LENGTH = 8  # bytes at the beginning that say how long the header is


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors as a safetensors file, whole or not at all.

    Args:
        path: Path of the file.
        tensors: Tensors by name, on any device, of types that NumPy has (so not bfloat16).
        metadata: Texts by name.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(path, to_bytes(tensors, metadata))


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file, which holds data and never code.

    Returns:
        The tensors by name, on the CPU and independent of the file, and the metadata.

    Raises:
        ValueError: The file is missing, unreadable, cut short, or not a safetensors file.
    """
    path = Path(path)
    try:
        return from_bytes(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"weights file {str(path)!r} does not exist") from error
    except (OSError, ValueError) as error:
        raise ValueError(
            f"weights file {str(path)!r} is damaged or not a safetensors file: {error}"
        ) from error


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file; the arguments are those of `save`."""
    # The bytes are those of safetensors.torch, in half the time for thousands of tensors.
    content = {name: _array(tensor) for name, tensor in tensors.items()}
    return bytes(safetensors.numpy.save(content, dict(metadata)))


def replaced(content: bytes, tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of a safetensors file (`to_bytes`) with new values for some tensors.

    To replace a few of thousands of tensors, this is much faster than `to_bytes`.

    Raises:
        ValueError: The content does not have one of the tensors, or has it in another size.
    """
    header, start = _header(content)
    changed = bytearray(content)
    for name, tensor in tensors.items():
        values = _array(tensor).tobytes()
        begin, end = header.get(name, {}).get("data_offsets", (0, -1))
        if end - begin != len(values):
            raise ValueError(f"there is no tensor {name} of {len(values)} bytes to be replaced")
        changed[start + begin : start + end] = values
    return bytes(changed)


def from_bytes(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors by name, on the CPU, and the metadata in a safetensors file's content.

    Raises:
        ValueError: The content is cut short or not that of a safetensors file; one line says why.
    """
    try:
        tensors = safetensors.torch.load(content)
    except (SafetensorError, LookupError) as error:  # the second: a type that torch does not have
        raise ValueError(_printable(" ".join(str(error).split()))) from error
    # The library checks the header, but returns only the tensors.
    return tensors, dict(_header(content)[0].get("__metadata__") or {})


def _printable(text: str) -> str:
    """Return a message that quotes a file, with printable characters only."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_REASON])


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().numpy()


def _header(content: bytes) -> tuple[Mapping[str, Any], int]:
    """Return the header of a safetensors file, and the position of the first tensor."""
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    return _parsed(content[_LENGTH:end]), end


@lru_cache(maxsize=2)  # the files of a search all have the same one, of thousands of entries
def _parsed(header: bytes) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(header))
