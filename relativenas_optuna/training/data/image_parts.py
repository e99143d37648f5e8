"""Find the training and the test part of an image folder, by the rules of docs/image_folders.md."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_folder import (
    ImageList,
    class_folders,
    has_images,
    list_images,
)
from relativenas_optuna.training.data.image_tree import shown

_WORDS = {
    "training": "train|training",
    "test": "test|testing|tests",
    "validation": "val|valid|validation|dev|eval|evaluation",
    "unused": "pred|predict|prediction|predictions|unlabeled|unlabelled|inference",
}
_NAME = re.compile(
    r"(?P<before>|.*[^a-z])"
    rf"(?:{'|'.join(f'(?P<{role}>{words})' for role, words in _WORDS.items())})"
    r"(?P<after>|[^a-z].*|set|data|images?|imgs?)",
    re.DOTALL,
)


@dataclass(frozen=True)
class ImageParts:
    """The parts of an image folder, each with a sub-folder per class.

    Attributes:
        training: Folder of the training images.
        test: Folder of the test images; None if there are none.
        unused: Name of a validation part that is not used, because there is a test part; None if
            there is no such part.
        notes: Sentences for a warning, on folders that are not used or have a doubtful meaning.
    """

    training: Path
    test: Path | None = None
    unused: str | None = None
    notes: tuple[str, ...] = ()


def list_part(folder: Path, train: bool) -> tuple[ImageList, ImageList]:
    """List the images of one part of an image folder.

    Files and folders that are left out are named in one warning.

    Args:
        folder: The image folder.
        train: True for the training images, False for the test images.

    Returns:
        The images of that part, and the training images.

    Raises:
        DataError: The folder has no such part, it is not clear whether its sub-folders are parts
            or classes, the parts do not fit each other, or `list_images` refuses one of them.
    """
    parts = find_parts(folder)
    training = listed = list_images(parts.training)
    notes = [*parts.notes, *training.notes]
    if not train:
        if parts.test is None:
            raise DataError(
                f"folder {str(folder)!r} has no test images; put them in its sub-folder test, and "
                f"the training images in train, each with a sub-folder for each class"
            )
        listed = list_images(parts.test)
        notes = [*listed.notes]
        if parts.unused:
            notes.append(f"{parts.unused!r} is not used: {parts.test.name!r} has the test images")
        _require_test_of(training, listed, folder)
    if notes:
        warnings.warn(f"data {str(folder)!r}: {'; '.join(notes)}", stacklevel=2)
    return listed, training


def has_part(folder: Path, train: bool) -> bool:
    """Return True if the image folder has training images, or test images if `train` is False."""
    try:
        parts = find_parts(folder)
    except DataError:
        return False
    return train or parts.test is not None


def find_parts(folder: Path) -> ImageParts:
    """Find the parts of an image folder; an undivided folder is the training part as a whole.

    Raises:
        DataError: `folder` is missing or no folder, or it is not clear whether its sub-folders are
            parts or classes.
    """
    if not folder.exists():
        raise DataError(f"folder {str(folder)!r} does not exist")
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is a file; give a folder with one sub-folder per class")
    names = class_folders(folder)
    matches = {name: match for name in names if (match := _NAME.fullmatch(name.lower()))}
    # Parts are named alike but for one word: Train and Test, train_images and test_images.
    alike: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name, match in matches.items():
        by_role = alike.setdefault((match["before"], match["after"]), {})
        by_role.setdefault(_role(match), []).append(name)
    divided = [by_role for by_role in alike.values() if len(by_role) > 1 and "training" in by_role]
    if len(divided) == 1 and all(len(found) == 1 for found in divided[0].values()):
        return _divided(folder, {role: found[0] for role, found in divided[0].items()}, names)
    if divided or (len(matches) == len(names) and len({*map(_role, matches.values())}) > 1):
        raise DataError(
            f"it is not clear whether sub-folders of {str(folder)!r} are parts or classes: "
            f"{shown([*matches])}; name the parts train and test, or rename these classes"
        )
    return _undivided(folder, names)


def _require_test_of(training: ImageList, test: ImageList, folder: Path) -> None:
    """Raise if test images have other classes than the training images, or are the same images.

    Raises:
        DataError: The two parts of `folder` do not fit each other.
    """
    odd = sorted(set(training.classes) ^ set(test.classes))
    if odd:
        raise DataError(
            f"training and test images of {str(folder)!r} must have the same classes, only one of "
            f"them has {shown(odd)}"
        )
    same = sorted(training.folders & test.folders)
    if same:
        raise DataError(
            f"training and test images of {str(folder)!r} must not be the same, both parts lead to "
            f"{shown(same)}"
        )


def _role(match: re.Match[str]) -> str:
    return next(role for role in _WORDS if match[role])


def _divided(folder: Path, names: dict[str, str], siblings: list[str]) -> ImageParts:
    """Return the parts of a folder; `names` are the names of its sub-folders by their roles."""
    training, notes = folder / names["training"], []
    if not class_folders(training):
        raise DataError(
            f"{str(training)!r} must have a sub-folder for each class, since "
            f"{shown([*names.values()])} are taken for parts of the data; rename them if they "
            f"are classes"
        )
    tests = [names[role] for role in ("test", "validation") if role in names]
    with_classes = [name for name in tests if class_folders(folder / name)]
    unused = [name for name in siblings if name not in (names["training"], *with_classes)]
    unused = [name for name in unused if has_images(folder / name)]
    if unused:
        notes.append(f"{shown(unused)} beside {names['training']!r} are not used")
    test, second, *_ = [*with_classes, None, None]
    return ImageParts(
        training=training, test=folder / test if test else None, unused=second, notes=tuple(notes)
    )


def _undivided(folder: Path, names: list[str]) -> ImageParts:
    """Return the parts of a folder without a test part: its folder `train`, or all of it."""
    named = [name for name in names if name.lower() in _WORDS["training"].split("|")]
    if len(named) != 1 or not class_folders(folder / named[0]):
        return ImageParts(folder)
    others = [name for name in names if name not in named and has_images(folder / name)]
    if not others:
        return ImageParts(folder / named[0])
    note = (
        f"{named[0]!r} is taken for a class, as is {shown(others)}; if it is the training part, "
        f"keep nothing but parts beside it"
    )
    return ImageParts(folder, notes=(note,))
