"""Reader of weights in a file that `torch.save` wrote; code in the file is not run."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relativenas_optuna.networks.io.foreign_state import unwrapped

# Usual names under which programs store the weights among other data.
_INSIDE = ("state_dict", "model_state_dict", "net", "model", "network")
_DEEPEST = 3
_CODE = re.compile(r"GLOBAL ([\w.]+)")  # in what torch says of a file that calls something
_ARCHIVE = b"PK\x03\x04"  # by which torch tells its newer files from its older ones
_KINDS = {
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
}
_MOST_GROWTH = 4
"""Most bytes in memory for one byte in the file; half precision takes 2."""


def read_pt(path: Path) -> dict[str, Tensor]:
    """Read the state dict in a file that `torch.save` wrote.

    The state dict may be in another dict under a usual name such as "state_dict", and may be that
    of a wrapped network. No code in the file is run: the file may hold only tensors, numbers, texts
    and containers of these.

    Args:
        path: Path of the file.

    Returns:
        The tensors by name, dense, on the CPU and independent of the file. All floating-point
        tensors are float32.

    Raises:
        ValueError: The file is missing, damaged or cut short, holds code, or has no state dict.
    """
    where = f"weights file {str(path)!r}"
    state = unwrapped(_state_in(_loaded(path, where), where))
    _require_plain(state, path.stat().st_size, where)
    return {name: _own(tensor) for name, tensor in state.items()}


def _loaded(path: Path, where: str) -> Any:
    try:
        archive = _is_archive(path)
        with warnings.catch_warnings():
            # torch warns of how the file was written, which its reader cannot change.
            warnings.simplefilter("ignore")
            # In older versions of torch a tensor of an archive that is read is as large as the
            # file says, and goes on into what else is in memory. Mapped, it ends with the file.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except FileNotFoundError as error:
        raise ValueError(f"{where} does not exist") from error
    except OSError as error:
        raise ValueError(f"{where} cannot be read: {error.strerror or error}") from error
    # A damaged file makes the reader raise nearly anything, and at length.
    except Exception as error:
        code = _CODE.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if code is not None:
            raise ValueError(
                f"{where} holds code or objects beside tensors ({code[1][:80]}), and is refused: "
                f"have its author save network.state_dict() alone"
            ) from error
        raise ValueError(f"{where} is damaged or was not written by torch.save") from error


def _is_archive(path: Path) -> bool:
    """Return True if torch reads a file as an archive.

    Raises:
        zipfile.BadZipFile: A part is compressed, which torch never does; it could unpack to any
            size.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(_ARCHIVE)) != _ARCHIVE:
            return False
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise zipfile.BadZipFile("packed")
    return True


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


def _require_plain(state: Mapping[str, Tensor], size: int, where: str) -> None:
    """Raise if a tensor is not an array of numbers, or needs far more memory than the file.

    Raises:
        ValueError: The message names the tensor, or the memory that all tensors would need.
    """
    total = 0
    for name, tensor in state.items():
        dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not dense or tensor.dtype not in _KINDS:
            raise ValueError(f"{where} holds no plain tensor under {repr(name)[:80]}")
        total += tensor.numel() * max(tensor.element_size(), 4 * tensor.is_floating_point())
    if total > _MOST_GROWTH * size:
        raise ValueError(
            f"{where} holds no plain tensors: they would take {total:,} bytes, of {size:,} in the "
            f"file"
        )


def _own(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor in separate memory, as float32 if it is floating-point."""
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(kind, copy=True, memory_format=torch.contiguous_format)
