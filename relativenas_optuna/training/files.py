"""Weights on disk: written whole or not at all, and read without trust."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.numpy
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from relativenas_optuna._files import write_whole


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes tensors as a safetensors file, whole or not at all.

    Args:
        path: Of the file.
        tensors: By name, on any device, of types that NumPy has (so not bfloat16).
        metadata: Texts by name.

    Raises:
        OSError: The file cannot be written.
    """
    # The bytes are those of safetensors.torch, in half the time for thousands of tensors.
    content = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
    write_whole(path, safetensors.numpy.save(content, dict(metadata)))


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
