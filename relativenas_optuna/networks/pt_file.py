"""Weights in a file that `torch.save` wrote, read without running what it may hold."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# Where programs keep the weights among other things.
_INSIDE = ("state_dict", "model_state_dict", "net", "model", "network")
# What DataParallel, and torch.compile, put before every name.
_PREFIXES = ("module.", "_orig_mod.")
_DEEPEST = 3
_CODE = re.compile(r"GLOBAL ([\w.]+)")  # in what torch says of a file that calls something


def read_pt(path: Path) -> dict[str, Tensor]:
    """Read a state dict, alone or in a dict under a usual name, also of a parallel network.

    Nothing in the file is run: it may hold tensors, numbers, texts and their containers only.

    Args:
        path: Of the file.

    Returns:
        The tensors by name, dense, on the CPU; those of another floating-point type as float32.

    Raises:
        ValueError: The file is missing, damaged or cut short, holds code, or no state dict.
    """
    where = f"weights file {str(path)!r}"
    state = _state_in(_loaded(path, where), where)
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return {name: _plain(name, tensor, where) for name, tensor in state.items()}


def _loaded(path: Path, where: str) -> Any:
    try:
        _require_unpacked(path)
        with warnings.catch_warnings():
            # On how the file was written, years ago: nothing that its reader could change.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"{where} does not exist") from error
    # A damaged file makes the reader raise nearly anything, and at length.
    except Exception as error:
        code = _CODE.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if code is not None:
            raise ValueError(
                f"{where} holds code or objects beside tensors ({code[1][:80]}), and is refused: "
                f"have its author save network.state_dict() alone"
            ) from error
        raise ValueError(f"{where} is damaged or was not written by torch.save") from error


def _require_unpacked(path: Path) -> None:
    """Refuse an archive that would unpack to any size; torch packs none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                raise zipfile.BadZipFile("packed")


def _state_in(data: Any, where: str) -> dict[str, Tensor]:
    for _ in range(_DEEPEST):
        if not isinstance(data, dict):
            break
        inside = [name for name in _INSIDE if isinstance(data.get(name), dict)]
        if not inside:
            break
        data = data[inside[0]]
    if not isinstance(data, dict) or not data:
        raise ValueError(f"{where} holds no state dict, but {type(data).__name__}")
    for name, tensor in data.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(
                f"{where} holds no state dict: {repr(name)[:80]} is {type(tensor).__name__}"
            )
    return dict(data)


def _plain(name: str, tensor: Tensor, where: str) -> Tensor:
    """A tensor of its own, with a number in memory for each that its shape promises.

    Raises:
        ValueError: It is none.
    """
    tensor = tensor.detach()
    dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if (
        not dense
        or tensor.is_quantized
        or tensor.is_complex()
        or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
    ):
        raise ValueError(f"{where} holds no plain tensor under {repr(name)[:80]}")
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.to(kind).contiguous()
