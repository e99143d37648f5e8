"""Read the images of a folder into memory, and find those that cannot be read."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from relativenas_optuna._utils.memory import shortage
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import UnreadableImages, open_image

_CHUNK = 64
"""Number of images that a thread reads one after another."""
_PATIENCE = 60.0  # seconds to look for more images that cannot be read


def read_images(paths: Sequence[str], size: int | None) -> Tensor:
    """Read images whole into memory.

    Args:
        paths: Paths of the files, at least one.
        size: Side in pixels to which every image is brought: its shorter side is resized, then
            the centre is cropped. None: images stay as they are, and must be of equal size.

    Returns:
        uint8, `[n, 3, h, w]`.

    Raises:
        DataError: Images cannot be read (all are counted and the first are named), they are of
            different sizes while `size` is None, or they do not fit in memory.
    """
    unreadable: dict[int, tuple[str, str]] = {}

    def read(index: int) -> npt.NDArray[np.uint8] | None:
        try:
            return _read_image(paths[index], size)
        except UnreadableImages as error:
            unreadable[index] = error.images[0]
            return None

    def fill(start: int) -> None:
        for index in range(start, min(start + _CHUNK, len(paths))):
            image = read(index)
            if image is not None and image.shape != first.shape:
                raise DataError(
                    "images must have one size, or give a size (--size) to resize them: "
                    f"{paths[number]!r} is {_side_by_side(first)}, "
                    f"{paths[index]!r} is {_side_by_side(image)}"
                )
            if image is not None:
                images[index] = image

    with warnings.catch_warnings():
        # Pillow warns of oddities in files that it can read, without the name of the file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        readable = ((n, image) for n in range(len(paths)) if (image := read(n)) is not None)
        number, first = next(readable, (0, np.empty((0, 0, 3), dtype=np.uint8)))
        if len(unreadable) < len(paths):
            _check_memory(first, len(paths))
            images = np.empty((len(paths), *first.shape), dtype=np.uint8)
            # Pillow decodes outside the interpreter's lock, so threads share the work.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for _ in pool.map(fill, range(0, len(paths), _CHUNK)):
                    pass
    if unreadable:
        raise UnreadableImages([image for _, image in sorted(unreadable.items())])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


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

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = list(pool.map(find, range(0, len(paths), _CHUNK)))
    unreadable = dict(known.images) | {path: why for images in chunks for path, why in images or ()}
    error = UnreadableImages([*unreadable.items()])
    late = chunks.count(None)
    return DataError(f"{error}; {late * _CHUNK} images were not looked at") if late else error


def _check_memory(first: npt.NDArray[np.uint8], count: int) -> None:
    short = shortage(2 * first.nbytes * count)  # channels last, and a copy with channels first
    if short is not None:
        raise DataError(
            f"{count:,} images of {_side_by_side(first)} need {short}: give a smaller size (--size)"
        )


def _side_by_side(image: npt.NDArray[np.uint8]) -> str:
    height, width, _ = image.shape
    return f"{width}x{height}"


def _read_image(path: str, size: int | None) -> npt.NDArray[np.uint8]:
    """Read one image, `[h, w, 3]`."""
    image = open_image(path, size)
    if size is not None:
        # Resizes the shorter side and crops the longer one around the centre, in one step.
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)
