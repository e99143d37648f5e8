"""Read image files into memory, or into a file of pixels if they do not fit there."""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.channel_statistics import (
    ByteLevels,
    Means,
    statistics_of_pieces,
)
from relativenas_optuna.training.data.image_file import UnreadableImages, open_image
from relativenas_optuna.training.data.image_files import ImageFiles, cache_name
from relativenas_optuna.training.data.in_order import in_order
from relativenas_optuna.training.data.pixel_file import Array, PixelFile
from relativenas_optuna.training.data.pixel_store import (
    Pixels,
    fits,
    in_tensor,
    kept_file,
    pieces_of,
)

LARGEST_SIDE = 64
"""Largest side in pixels to which images of different sizes are brought unless a size is given."""
_CHUNK = 64
"""Number of images that a thread reads one after another."""
_CHUNK_BYTES = 1 << 23
_PATIENCE = 60.0  # seconds to look for more images that cannot be read


def check_size(size: int | None) -> None:
    """Raise if a size that images are resized to is out of range.

    Raises:
        ValueError: It is out of range.
    """
    if size is not None and not 1 <= size <= MOST["size"]:
        raise ValueError(f"size must be 1 to {MOST['size']} pixels, got {size}")


class ReadImages(NamedTuple):
    """Images that were read from files.

    Attributes:
        pixels: Their pixels, uint8, `[n, 3, h, w]`.
        size: Side in pixels to which they were brought; None if they are as they were.
    """

    pixels: Pixels
    size: int | None

    def statistics(self) -> Means:
        """Return mean and standard deviation of the channels; see `channel_statistics`."""
        if isinstance(self.pixels, PixelFile):
            with suppress(KeyError, TypeError, ValueError):
                mean, std = json.loads(self.pixels.notes["statistics"])
                return tuple(map(float, mean)), tuple(map(float, std))
        return statistics_of_pieces(lambda: pieces_of(self.pixels))


def read_files(
    files: ImageFiles, size: int | None, *, in_memory: bool | None = None, equal: bool = False
) -> ReadImages:
    """Read image files whole.

    Images that do not fit in memory are kept in a file of the cache, which the next call with the
    same files takes.

    Args:
        files: Image files, at least one.
        size: Side in pixels to which every image is brought: its shorter side is resized, then
            the centre is cropped. None: images of one size stay as they are, and images of
            different sizes are brought to the median of their shorter sides, at most 64, which a
            warning says.
        in_memory: True to keep the images in memory, False to keep them in a file; None decides by
            the memory that this process can get.
        equal: True to refuse images of different sizes if `size` is None.

    Raises:
        DataError: Images cannot be read (all are counted and the first are named), they are of
            different sizes although `equal` is True, or they do not fit in memory or on the disk.
    """
    with warnings.catch_warnings():
        # Pillow warns of oddities in files that it can read, without the name of the file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            return ReadImages(_read(files, size, in_memory), size)
        except _UnequalSizesError as error:
            if equal:
                raise
            side, note = _common_side(files, error)
        pixels = _read(files, side, in_memory)
    warnings.warn(note, stacklevel=2)
    return ReadImages(pixels, side)


def unreadable_among(
    paths: Sequence[str], known: UnreadableImages, patience: float = _PATIENCE
) -> DataError:
    """Return the error that names all images which cannot be read.

    Args:
        paths: Paths of the files.
        known: Error of those that are known.
        patience: Seconds after which no more files are looked at.
    """
    deadline = time.monotonic() + patience

    def find(start: int) -> list[tuple[str, str]] | None:
        if time.monotonic() > deadline:
            return None
        found: list[tuple[str, str]] = []
        for path in paths[start : start + _CHUNK]:
            try:
                open_image(path, 1)
            except UnreadableImages as error:
                found += error.images
        return found

    with ThreadPoolExecutor(available_cores()) as pool:
        chunks = list(pool.map(find, range(0, len(paths), _CHUNK)))
    unreadable = dict(known.images) | {path: why for images in chunks for path, why in images or ()}
    error = UnreadableImages([*unreadable.items()])
    late = chunks.count(None)
    return DataError(f"{error}; {late * _CHUNK} images were not looked at") if late else error


class _UnequalSizesError(DataError):
    """Two images have different sizes, and no size was given."""


def _read(files: ImageFiles, size: int | None, in_memory: bool | None) -> Pixels:
    number, first = _first_readable(files, size)
    if fits(first, len(files), in_memory):
        images = np.empty((len(files), *first.shape), np.uint8)
        return in_tensor(_decoded(files, size, number, first.shape), images)
    levels = ByteLevels(first.shape[0])

    def counted() -> Iterator[Array]:
        for chunk in _decoded(files, size, number, first.shape):
            levels.add(torch.from_numpy(chunk))
            yield chunk

    name, key = cache_name(files, size)
    return kept_file(
        name,
        key,
        counted,
        count=len(files),
        notes=lambda: {"statistics": json.dumps(levels.statistics())},
    )


def _first_readable(files: ImageFiles, size: int | None) -> tuple[int, Array]:
    """Return the number and the pixels of the first image that can be read."""
    unreadable: list[tuple[str, str]] = []
    for number in range(len(files)):
        try:
            return number, _pixels(files, number, size)
        except UnreadableImages as error:
            unreadable += error.images
    raise UnreadableImages(unreadable)


def _decoded(
    files: ImageFiles, size: int | None, number: int, shape: tuple[int, ...]
) -> Iterator[Array]:
    """Yield all images, `[b, 3, h, w]` at a time; after an unreadable one, only look for others.

    Args:
        files: Image files.
        size: Side in pixels to which every image is brought; None for no change.
        number: Number of an image of the shape.
        shape: Shape that all images must have, (3, h, w).
    """
    step = max(1, min(_CHUNK, _CHUNK_BYTES // int(np.prod(shape))))

    def read(start: int) -> tuple[Array, list[tuple[str, str]]]:
        indices = range(start, min(start + step, len(files)))
        images = np.empty((len(indices), *shape), np.uint8)
        unreadable: list[tuple[str, str]] = []
        for position, index in enumerate(indices):
            try:
                image = _pixels(files, index, size)
            except UnreadableImages as error:
                unreadable += error.images
                continue
            if image.shape != shape:
                raise _UnequalSizesError(
                    "images must have one size, or give a size (--size) to resize them: "
                    f"{files.name(number)!r} is {_side_by_side(shape)}, "
                    f"{files.name(index)!r} is {_side_by_side(image.shape)}"
                )
            images[position] = image
        return images, unreadable

    unreadable: list[tuple[str, str]] = []
    threads = available_cores()  # Pillow decodes outside the interpreter's lock
    starts = range(0, len(files), step)
    for images, failed in in_order(read, starts, threads=threads, ahead=2 * threads):
        unreadable += failed
        if not unreadable:
            yield images
    if unreadable:
        raise UnreadableImages(unreadable)


def _pixels(files: ImageFiles, index: int, size: int | None) -> Array:
    """Return the pixels of an image, `[3, h, w]`."""
    image = files.open(index, size)
    if size is not None:
        # Resizes the shorter side and crops the longer one around the centre, in one step.
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def _common_side(files: ImageFiles, error: _UnequalSizesError) -> tuple[int, str]:
    """Return the side to which images of different sizes are brought, and the line that says so."""

    def found(start: int) -> list[tuple[int, int]]:
        sizes = []
        for index in range(start, min(start + _CHUNK, len(files))):
            with suppress(UnreadableImages):  # named when all images are read
                sizes.append(files.dimensions(index))
        return sizes

    threads = available_cores()
    starts = range(0, len(files), _CHUNK)
    chunks = in_order(found, starts, threads=threads, ahead=2 * threads)
    sizes = [size for chunk in chunks for size in chunk]
    if not sizes:
        raise error
    side = min(LARGEST_SIDE, statistics.median_low(map(min, sizes)))
    (least, most) = (f"{width}x{height}" for width, height in (min(sizes), max(sizes)))
    return side, (
        f"data {files.title!r}: the images have different sizes, such as {least} and {most}; they "
        f"are resized to {side}x{side}, the longer side cropped. Another size: --size PIXELS"
    )


def _side_by_side(shape: tuple[int, ...]) -> str:
    _, height, width = shape
    return f"{width}x{height}"
