"""List the images of a folder with one sub-folder per class.

The rules are in docs/image_folders.md.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.io.description import check_classes
from relativenas_optuna.training.data.image_file import IMAGE_ENDINGS
from relativenas_optuna.training.data.image_tree import (
    ImageTree,
    ending_of,
    entries_of,
    is_directory,
    is_system,
    links_up,
    shown,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageList:
    """The images of a folder with one sub-folder per class, unread.

    Attributes:
        paths: Paths of the files, by class, then by folder and name.
        labels: int64, `[n]`, each the index of one of `classes`.
        classes: Names of the classes in alphabetical order.
        folders: Real paths of the folders that hold them.
        notes: Sentences on files and links that were left out, for a warning.
    """

    paths: list[str]
    labels: Tensor
    classes: tuple[str, ...]
    folders: frozenset[str]
    notes: tuple[str, ...] = ()


def list_images(folder: Path) -> ImageList:
    """List the images of a folder with one sub-folder per class.

    Raises:
        DataError: There are fewer than two classes, a class has no images or a name that no file
            can hold, an image is in two classes, or a folder cannot be read.
    """
    names = class_folders(folder)
    if len(names) < 2:
        raise _too_few_classes(folder, names)
    classes = tuple(unicodedata.normalize("NFC", name) for name in names)
    try:
        check_classes(classes)
    except ValueError as error:
        raise DataError(f"rename a class folder of {str(folder)!r}: {error}") from None
    tree = ImageTree(folder, names)
    images = list(tree.images())
    notes = [*tree.notes(), *_notes_on_loose_images(folder)]
    found = {label for _, label in images}
    empty = [name for label, name in enumerate(names) if label not in found]
    if empty:
        raise DataError(
            f"class folders of {str(folder)!r} have no images: {shown(empty)}; add images or "
            f"remove the folders{''.join(f'; {note}' for note in notes)}"
        )
    return ImageList(
        paths=[path for path, _ in images],
        labels=torch.tensor([label for _, label in images], dtype=torch.int64),
        classes=classes,
        folders=tree.real_folders,
        notes=tuple(notes),
    )


def class_folders(folder: Path) -> list[str]:
    """Return the names of the class folders in `folder`, in the order of their classes.

    Links to `folder` or to a folder that holds it are not class folders.

    Raises:
        DataError: The folder cannot be read.
    """
    up = links_up(folder)
    names = [
        entry.name
        for entry in entries_of(str(folder))
        if is_directory(entry) and entry.name not in up
    ]
    return sorted(names, key=lambda name: unicodedata.normalize("NFC", name))


def has_images(folder: Path) -> bool:
    """Return True if a file in `folder` or below it has the name of an image."""
    return any(
        ending_of(name) in IMAGE_ENDINGS and not is_system(name)
        for _, _, names in os.walk(folder)
        for name in names
    )


def _notes_on_loose_images(folder: Path) -> list[str]:
    names = [
        entry.name for entry in entries_of(str(folder)) if ending_of(entry.name) in IMAGE_ENDINGS
    ]
    if not names:
        return []
    return [f"images directly in the folder are in no class: {shown(sorted(names))}"]


def _too_few_classes(folder: Path, names: list[str]) -> DataError:
    found = f"one ({names[0]!r})" if names else "none"
    if names and len(class_folders(folder / names[0])) > 1:
        hint = f"; did you mean {str(folder / names[0])!r}?"
    else:
        hint = "".join(f"; {note}" for note in _notes_on_loose_images(folder))
    return DataError(
        f"folder {str(folder)!r} must have a sub-folder for each of at least 2 classes, found "
        f"{found}{hint}"
    )
