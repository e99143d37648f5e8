"""Weights on disk: written whole or not at all, and read without trust."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes a file so that, kill or power cut at any moment, it is the old or the new one whole.

    Raises:
        OSError: The folder does not exist or cannot be written; the old file is as it was.
    """
    path = Path(path)
    # In the same folder, since a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, and a rename is durable
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes tensors as a safetensors file, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    content = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_whole(path, safetensors.torch.save(content, dict(metadata)))


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a safetensors file, which holds data and never code.

    Returns:
        The tensors by name, on the CPU and independent of the file, and the metadata.

    Raises:
        ValueError: The file is missing, unreadable, cut short, or no safetensors file.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            # A clone stays whole when the file, which is only mapped, is cut short later on.
            tensors = {name: torch.clone(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        if not path.exists():
            raise ValueError(f"weights file {str(path)!r} does not exist") from error
        reason = " ".join(str(error).split())
        raise ValueError(
            f"weights file {str(path)!r} is damaged or not a safetensors file: {reason}"
        ) from error
    return tensors, metadata
