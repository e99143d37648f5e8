"""Gather the pixels of images in memory, or in a file if they do not fit there."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna._utils.files import remove_unfinished, sync_folder
from relativenas_optuna._utils.locks import locked
from relativenas_optuna._utils.memory import shortage
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.pixel_file import (
    Array,
    PixelFile,
    PixelWriter,
    open_pixels,
    open_pixels_at,
)

CACHE_VARIABLE = "RELATIVENAS_CACHE"
"""Environment variable with the folder for files of images."""
MEMORY_VARIABLE = "RELATIVENAS_IMAGES_GB"
"""Environment variable with the gigabytes of one part of a data set that memory may hold."""
_PATIENCE = 3600.0  # seconds to wait for another process that writes the same file
_PIECE = 1024  # images that are read at once
_COPIES = 2  # a set of images and its split into two parts

Pixels = Tensor | PixelFile


def gather(
    chunks: Iterable[Array], *, count: int | None = None, in_memory: bool | None = None
) -> Pixels | None:
    """Return all images in one tensor, or in a file that is deleted with the result.

    Args:
        chunks: Images, uint8 or float32, `[b, c, h, w]` at a time, all of one shape and type.
        count: Number of all images; None if it is not known.
        in_memory: True to keep them in memory, False to keep them in a file; None for a file if
            they do not fit in memory.

    Returns:
        The images; None if there are none.

    Raises:
        DataError: They fit neither in memory nor on the disk.
    """
    rest = iter(chunks)
    first = next(rest, None)
    if first is None:
        return None
    whole = chain([first], rest)
    if count is not None:
        if fits(first[0], count, in_memory):
            return in_tensor(whole, np.empty((count, *first.shape[1:]), first.dtype))
        return _in_unnamed_file(whole, first[0], count)
    kept: list[Array] = []
    number = 0
    for chunk in whole:
        kept.append(chunk)
        number += len(chunk)
        if not fits(first[0], number, in_memory):
            return _in_unnamed_file(chain(_emptied(kept), whole), first[0], number)
    return torch.from_numpy(np.concatenate(kept))


def fits(image: Array, count: int, in_memory: bool | None) -> bool:
    """Return True if images are to be kept in memory.

    Args:
        image: One of the images, `[c, h, w]`.
        count: Number of images.
        in_memory: True or False to say so; None decides by the memory that this process can get,
            and by the environment variable RELATIVENAS_IMAGES_GB.

    Raises:
        DataError: They are to be kept in memory, and do not fit; or the variable is no number.
    """
    size = image.nbytes * count
    short = shortage(_COPIES * size) if in_memory is not False else None
    if in_memory and short is not None:
        raise DataError(
            f"{count:,} images of {_side_by_side(image)} need {short}: take a smaller size "
            f"(--size), or leave out in_memory to keep them in a file"
        )
    return bool(in_memory) or (in_memory is None and short is None and size <= _limit())


def in_tensor(chunks: Iterable[Array], images: Array) -> Tensor:
    """Return images as one tensor.

    Args:
        chunks: Images, `[b, c, h, w]` at a time.
        images: Array for all of them, which the tensor shares.
    """
    start = 0
    for chunk in chunks:
        images[start : start + len(chunk)] = chunk
        start += len(chunk)
    return torch.from_numpy(images)


def kept_file(
    name: str,
    key: str,
    chunks: Callable[[], Iterable[Array]],
    *,
    count: int,
    notes: Callable[[], dict[str, str]] = dict,
) -> PixelFile:
    """Return images from a file of the cache; write it if it is missing or has another key.

    One process at a time writes a file. It is complete or not there.

    Args:
        name: Name of the file.
        key: Text that differs if the images do.
        chunks: Function that yields the images, `[b, c, h, w]` at a time.
        count: Number of images.
        notes: Function that returns texts to keep with the images, called after the last chunk.

    Raises:
        DataError: The disk has no room for the file, or the folder cannot be written to.
    """
    path = _cache_folder() / f"{name}.safetensors"
    with suppress(OSError, ValueError):
        found = open_pixels_at(path)
        if found.notes.get("key") == key:
            return found
    with locked(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE, remove=True) as held:
        with suppress(OSError, ValueError):  # another process may have written it meanwhile
            found = open_pixels_at(path)
            if found.notes.get("key") == key:
                return found
        if held:
            remove_unfinished(path.parent, path.name)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        rest = iter(chunks())
        first = next(rest)
        _require_room(first[0], count)
        try:
            with temporary.open("w+b", buffering=0) as file:
                _write(file, chain([first], rest), first[0], lambda: {"key": key} | notes())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        return open_pixels_at(path)


def pieces_of(pixels: Pixels) -> Iterator[Tensor]:
    """Yield all images in order, about a thousand at a time."""
    for start in range(0, len(pixels), _PIECE):
        if isinstance(pixels, Tensor):
            yield pixels[start : start + _PIECE]
        else:
            rows = np.arange(start, min(start + _PIECE, len(pixels)))
            yield torch.from_numpy(pixels.read(rows))


def _in_unnamed_file(chunks: Iterable[Array], image: Array, count: int) -> PixelFile:
    folder = _cache_folder()
    _require_room(image, count)
    file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - the result owns it
    try:
        _write(file, chunks, image, dict)
        return open_pixels(file)
    except BaseException:
        file.close()
        raise


def _write(
    file: FileIO, chunks: Iterable[Array], image: Array, notes: Callable[[], dict[str, str]]
) -> None:
    channels, height, width = image.shape
    with _disk_errors():
        writer = PixelWriter(file, (channels, height, width), image.dtype)
    for chunk in chunks:
        with _disk_errors():
            writer.append(chunk)
    kept = notes()
    with _disk_errors():
        writer.finish(kept)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"images could not be written to {str(_cache_folder())!r}: {error.strerror}; set "
            f"{CACHE_VARIABLE} to a folder on another disk"
        ) from error


def _emptied(chunks: list[Array]) -> Iterator[Array]:
    """Yield the chunks of a list and forget each of them."""
    chunks.reverse()
    while chunks:
        yield chunks.pop()


def _cache_folder() -> Path:
    """Return the folder for files of images, which is made if it is missing."""
    own = os.environ.get(CACHE_VARIABLE)
    users = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(own or Path(users, "relativenas")).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the folder {str(folder)!r} for files of images cannot be made: {error.strerror}; "
            f"set {CACHE_VARIABLE} to another folder"
        ) from error
    return folder


def _require_room(image: Array, count: int) -> None:
    folder = _cache_folder()
    needed, free = image.nbytes * count, shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{count:,} images of {_side_by_side(image)} do not fit in memory and need "
            f"{needed / 1e9:,.1f} GB on the disk of {str(folder)!r}, which has {free / 1e9:,.1f} "
            f"GB left: take a smaller size (--size), or set {CACHE_VARIABLE} to a folder on "
            f"another disk"
        )


def _limit() -> float:
    """Return the number of bytes that RELATIVENAS_IMAGES_GB allows."""
    given = os.environ.get(MEMORY_VARIABLE)
    if not given:
        return math.inf
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:
        raise DataError(
            f"{MEMORY_VARIABLE} must be a number of gigabytes, at least 0; got {given!r}"
        )
    return gigabytes * 1e9


def _side_by_side(image: Array) -> str:
    _, height, width = image.shape
    return f"{width}x{height}"
