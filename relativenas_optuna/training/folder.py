"""Pictures read from a folder with one sub-folder per class."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from relativenas_optuna.training.pictures import DataError

# Modes with more than 8 bits a channel, which Pillow would clip on the way to RGB.
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's names of them."""


def class_folders(folder: Path) -> list[str]:
    """The names of the class folders in `folder`, sorted; hidden ones are left out."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".")
    )


def part_folder(folder: Path, train: bool) -> Path:
    """The folder of the training or of the test pictures of the data set in `folder`.

    A sub-folder `train` that itself has class folders holds the training pictures, and `test` or
    `val` beside it the test pictures. Without it, the whole folder is training pictures.

    Raises:
        DataError: `folder` is missing or no folder, or has no such part.
    """
    if not folder.exists():
        raise DataError(f"folder {str(folder)!r} does not exist")
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is a file; give a folder with one sub-folder per class")
    divided = _has_classes(folder / "train")
    if train:
        return folder / "train" if divided else folder
    for name in ("test", "val"):
        if divided and _has_classes(folder / name):
            return folder / name
    raise DataError(
        f"folder {str(folder)!r} has no test pictures; "
        "put them in its sub-folder test, and the training pictures in train"
    )


def has_part(folder: Path, train: bool) -> bool:
    """Whether the data set in `folder` has training or test pictures."""
    try:
        part_folder(folder, train)
    except DataError:
        return False
    return True


def _has_classes(folder: Path) -> bool:
    return folder.is_dir() and bool(class_folders(folder))


def read_folder(folder: Path, size: int | None) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Reads every picture of a folder with one sub-folder per class.

    Args:
        folder: An existing folder.
        size: Side in pixels to which every picture is brought: its shorter side is resized, then
            the centre is cropped. None: pictures stay as they are, and must be of equal size.

    Returns:
        images `[n, 3, h, w]` uint8, labels `[n]` int64, class names in alphabetical order.

    Raises:
        DataError: See `list_folder`; an unreadable picture, or pictures of different sizes while
            `size` is None.
    """
    paths, labels, classes = list_folder(folder)
    images = _read_pictures(paths, size)
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels, classes


def list_folder(folder: Path) -> tuple[list[str], Tensor, tuple[str, ...]]:
    """The pictures of a folder with one sub-folder per class, unread.

    Returns:
        Their paths in a fixed order, labels `[n]` int64, class names in alphabetical order.

    Raises:
        DataError: Fewer than two classes, or an empty class.
    """
    classes = class_folders(folder)
    if len(classes) < 2:
        found = f"one ({classes[0]!r})" if classes else "none"
        raise DataError(
            f"folder {str(folder)!r} must have a sub-folder for each of at least 2 classes, "
            f"found {found}"
        )
    samples: list[tuple[str, int]] = make_dataset(
        str(folder),
        {name: index for index, name in enumerate(classes)},
        is_valid_file=_is_picture,
        allow_empty=True,
    )
    labels = torch.tensor([label for _, label in samples], dtype=torch.int64)
    empty = set(range(len(classes))) - {label for _, label in samples}
    if empty:
        raise DataError(
            f"class folder {str(folder / classes[min(empty)])!r} has no pictures "
            f"(looked for {' '.join(IMG_EXTENSIONS)}); add some or remove the folder"
        )
    return [path for path, _ in samples], labels, tuple(classes)


def _is_picture(path: str) -> bool:
    name = Path(path).name.lower()
    return name.endswith(IMG_EXTENSIONS) and not name.startswith(".")


def _read_pictures(paths: list[str], size: int | None) -> npt.NDArray[np.uint8]:
    """Reads pictures of one size, `[n, h, w, 3]`."""
    first = _read_picture(paths[0], size)
    images = np.empty((len(paths), *first.shape), dtype=np.uint8)

    def fill(start: int) -> None:
        for index in range(start, min(start + chunk, len(paths))):
            picture = _read_picture(paths[index], size)
            if picture.shape != first.shape:
                raise DataError(
                    "pictures differ in size, give a size (--size) to bring them to one: "
                    f"{_side_by_side(first)} is {paths[0]!r}, "
                    f"{_side_by_side(picture)} is {paths[index]!r}"
                )
            images[index] = picture

    chunk = 64
    # Pillow decodes outside the interpreter's lock, so threads share the work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(fill, range(0, len(paths), chunk)):
            pass
    return images


def _side_by_side(picture: npt.NDArray[np.uint8]) -> str:
    height, width, _ = picture.shape
    return f"{width}x{height}"


def _read_picture(path: str, size: int | None) -> npt.NDArray[np.uint8]:
    """Reads one picture, `[h, w, 3]`."""
    picture = open_picture(path, size)
    if size is not None:
        # Resizing first one side and cropping the other around the centre, in one step.
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8)


def open_picture(path: str, size: int | None = None) -> Image.Image:
    """Reads one picture in RGB, turned as its EXIF data says.

    Args:
        path: Of the file.
        size: Side in pixels that it will be brought to; it has at least twice that, where it has.

    Raises:
        DataError: It is damaged, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as file:
            if size is not None:
                # A JPEG decoder can skip detail; twice the side keeps the resizing's quality.
                file.draft("RGB", (2 * size, 2 * size))
            deep = file.mode in DEEP_MODES
            picture = ImageOps.exif_transpose(file)
            if "transparency" in picture.info:
                picture = picture.convert("RGBA")
            picture = picture.convert("RGB")
    except Exception as error:  # a damaged file makes Pillow's plug-ins raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"picture {path!r} cannot be read: {reason}") from error
    if deep:
        raise DataError(f"picture {path!r} has more than 8 bits a channel; convert it to 8 bits")
    return picture
