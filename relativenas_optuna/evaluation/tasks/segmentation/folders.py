"""Find the images and masks of a segmentation data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna.evaluation.tasks.lists import CLASSES_FILE, listed_classes
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import IMAGE_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

IGNORED = 255
"""Value of a mask's pixel that belongs to no class."""
_NAMED = 3  # files that a message names
_TEST_PARTS = ("val", "test")


@dataclass(frozen=True)
class ListedMasks:
    """Images with a mask each.

    Attributes:
        images: Paths of the images, sorted.
        masks: Paths of their masks.
        classes: Names of the classes.
        ids: Class of a pixel by its value in a mask, 255 for none; other values are unknown.
    """

    images: tuple[str, ...]
    masks: tuple[str, ...]
    classes: tuple[str, ...]
    ids: Mapping[int, int]


def list_masks(folder: Path, *, train: bool) -> ListedMasks | None:
    """List the training or test images of Cityscapes or of a plain folder; see `Segmentation`.

    Returns:
        The images; None if there is no part for the test.

    Raises:
        DataError: The folder is neither of the two, an image lacks its mask, or there are none.
    """
    cityscapes = [folder / name for name in ("leftImg8bit", "gtFine")]
    if any(part.is_dir() for part in cityscapes):
        if not train and not any((part / "val").is_dir() for part in cityscapes):
            return None
        return _cityscapes(folder, "train" if train else "val")
    found = [part for part in (folder, folder / "train") if (part / "images").is_dir()]
    if not found:
        raise DataError(
            f"{str(folder)!r} holds neither Cityscapes (folders leftImg8bit and gtFine) nor "
            f"folders images and masks, alone or in train and val: check --data"
        )
    if not train:
        found = [folder / name for name in _TEST_PARTS if (folder / name / "images").is_dir()]
    return _plain(found[0], _classes(folder)) if found else None


def _cityscapes(folder: Path, split: str) -> ListedMasks:
    from torchvision.datasets import Cityscapes

    for part in ("leftImg8bit", "gtFine"):
        if not (folder / part / split).is_dir():
            raise DataError(f"Cityscapes in {str(folder)!r} lacks the folder {part}/{split}")
    listed = Cityscapes(str(folder), split=split, mode="fine", target_type="semantic")
    pairs = sorted(
        (image, masks[0]) for image, masks in zip(listed.images, listed.targets, strict=True)
    )
    names = {of.train_id: of.name for of in Cityscapes.classes if 0 <= of.train_id < IGNORED}
    ids = {of.id % 256: of.train_id % 256 for of in Cityscapes.classes}
    classes = tuple(names[number] for number in range(len(names)))
    return _checked(pairs, classes, ids | {IGNORED: IGNORED}, folder)


def _plain(folder: Path, classes: tuple[str, ...]) -> ListedMasks:
    if not (folder / "masks").is_dir():
        raise DataError(f"{str(folder)!r} has a folder images, but no folder masks")
    masks = _by_name(folder / "masks")
    pairs = [(image, masks.get(name, "")) for name, image in _by_name(folder / "images").items()]
    ids = {number: number for number in range(len(classes))}
    return _checked(pairs, classes, ids | {IGNORED: IGNORED}, folder)


def _by_name(folder: Path) -> dict[str, str]:
    """Return the paths of the image files in a folder by their names without endings."""
    found: dict[str, str] = {}
    for path in _files(folder):
        if path.stem in found:
            raise DataError(
                f"files in {str(folder)!r} must have names that differ without their endings; got "
                f"{Path(found[path.stem]).name!r} and {path.name!r}: rename or remove one"
            )
        found[path.stem] = str(path)
    return found


def _files(folder: Path) -> list[Path]:
    """Return the image files in a folder, sorted, without those in its sub-folders."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".")
    )


def _checked(
    pairs: list[tuple[str, str]], classes: tuple[str, ...], ids: Mapping[int, int], folder: Path
) -> ListedMasks:
    if not pairs:
        raise DataError(f"there are no images for segmentation in {str(folder)!r}")
    missing = [image for image, mask in pairs if not mask or not Path(mask).is_file()]
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED]))
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise DataError(f"{len(missing)} images have no mask; add or remove them: {named}{more}")
    images, masks = zip(*pairs, strict=True)
    return ListedMasks(images, masks, classes, ids)


def _classes(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes that a plain folder lists."""
    path, names = folder / CLASSES_FILE, listed_classes(folder)
    if names is None:
        raise DataError(
            f"the names of the classes are missing: write {str(path)!r} with one name in a line, "
            f"that of pixel value 0 first"
        )
    if len(names) >= IGNORED:
        raise DataError(f"list of classes {str(path)!r} has more than {IGNORED - 1} names")
    return names
