"""Read images with boxes from a folder of PASCAL VOC."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from relativenas_optuna.evaluation.tasks.detection.annotation import (
    CLASSES,
    Annotation,
    read_annotation,
)
from relativenas_optuna.evaluation.tasks.detection.augmentation import augmented, resized
from relativenas_optuna.evaluation.tasks.lists import listed_classes, read_lines
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import IMAGE_ENDINGS, image_size, open_image

_NAMED = 5
"""Number of faults in one message."""
_PARTS = {True: "trainval", False: "test"}
"""Names of the lists of training images and of test images."""


@dataclass(frozen=True, eq=False, kw_only=True)
class VOCRecords:
    """Images with annotations in the format of PASCAL VOC.

    Args:
        names: Year and name of each image, such as "VOC2007/000005".
        paths: Paths of the images.
        annotations: Annotations of the images.
        side: Height and width in pixels to which images are resized.
        flip: True to mirror images at random for training.
    """

    names: Sequence[str]
    paths: Sequence[str]
    annotations: Sequence[Annotation]
    side: int
    flip: bool

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return an image and its objects, as `Records.read` does.

        Returns:
            The image, uint8 `[3, side, side]`, and a dictionary: "boxes" in its pixels, float32
            `[n, 4]`, "labels", int64 `[n]`, and for evaluation "difficult", bool `[n]`. An image
            for training has no difficult objects.
        """
        image = pil_to_tensor(open_image(self.paths[index]))
        of = self.annotations[index]
        if not augment:
            image, boxes = resized(image, of.boxes, side=self.side)
            return image, {"boxes": boxes, "labels": of.labels, "difficult": of.difficult}
        easy = ~of.difficult
        image, boxes, labels = augmented(
            image, of.boxes[easy], of.labels[easy], side=self.side, flip=self.flip
        )
        return image, {"boxes": boxes, "labels": labels}

    def fingerprint(self) -> str:
        """Return a text for the names and objects of all images, and the settings."""
        found = sha256()
        for name, of in zip(self.names, self.annotations, strict=True):
            objects = (of.boxes.tolist(), of.labels.tolist(), of.difficult.tolist())
            found.update(repr((name, objects)).encode())
        return f"VOC {self.side} {self.flip} {found.hexdigest()}"


def read_voc(
    folder: Path, *, train: bool, side: int, flip: bool, classes: tuple[str, ...] | None = None
) -> tuple[VOCRecords, tuple[str, ...]] | None:
    """Read the annotations of one part of a folder of PASCAL VOC; images are read later.

    The training images are those of the lists `ImageSets/Main/trainval.txt` of all years, the test
    images those of `test.txt`. A year whose test images have no annotations is left out, like
    VOC2012. A file `classes.txt` in the folder names other classes than those of PASCAL VOC, one
    on each line.

    torchvision's `VOCDetection` reads the same files, but of one year, only with the names of
    VOC's own years, and without checks.

    Args:
        folder: VOCdevkit, a folder that holds it, or the folder of one year.
        train: True for the training images, False for the test images.
        side: Height and width in pixels to which images are resized.
        flip: True to mirror images at random for training.
        classes: Names of the classes; None takes those of the data.

    Returns:
        The images, and the names of the classes without the background; None if there are no test
        images.

    Raises:
        DataError: The folder or a file of it is missing or cannot be used; the message names the
            first few faults.
    """
    top = folder / "VOCdevkit" if (folder / "VOCdevkit").is_dir() else folder
    years = [top] if (top / "ImageSets").is_dir() else sorted(_years(top))
    if not years:
        raise DataError(
            f"folder {str(folder)!r} must have a folder VOC2007, VOC2012 or the like with "
            f"Annotations, JPEGImages and ImageSets/Main; it has none"
        )
    if classes is None:
        classes = listed_classes(top) or CLASSES
    listed = [image for year in years for image in _images(year, train)]
    if not listed:
        if not train:
            return None
        raise DataError(
            f"folder {str(folder)!r} has no training images; list their names in "
            f"{str(years[0] / 'ImageSets' / 'Main' / 'trainval.txt')!r}, one on each line"
        )
    paths, annotations, faults = [], [], []
    with warnings.catch_warnings():
        # Pillow warns of oddities in files that it can read, without the name of the file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for year, name in listed:
            try:
                path = _image_path(year, name)
                annotation = year / "Annotations" / f"{name}.xml"
                annotations.append(read_annotation(annotation, classes, image_size(path)))
                paths.append(path)
            except DataError as error:
                faults.append(str(error))
    if faults:
        more = f"; and {len(faults) - _NAMED} more faults" if len(faults) > _NAMED else ""
        raise DataError(f"{'; '.join(faults[:_NAMED])}{more}")
    names = [f"{year.name}/{name}" for year, name in listed]
    records = VOCRecords(names=names, paths=paths, annotations=annotations, side=side, flip=flip)
    return records, classes


def _years(top: Path) -> Iterator[Path]:
    try:
        yield from (year for year in top.iterdir() if (year / "ImageSets" / "Main").is_dir())
    except OSError as error:
        raise DataError(f"folder {str(top)!r} cannot be read: {error.strerror}") from error


def _images(year: Path, train: bool) -> list[tuple[Path, str]]:
    """Return the year and the name of each image of a part, in the order of the list."""
    path = year / "ImageSets" / "Main" / f"{_PARTS[train]}.txt"
    names = list(dict.fromkeys(read_lines(path))) if path.exists() else []
    for name in names:
        if name in (".", "..") or set(name) & set("/\\\0"):
            raise DataError(
                f"{str(path)!r} must list names of images in JPEGImages without their ending, got "
                f"{name!r:.80}"
            )
    annotations = year / "Annotations"
    if not train and not any((annotations / f"{name}.xml").exists() for name in names):
        return []
    return [(year, name) for name in names]


def _image_path(year: Path, name: str) -> str:
    folder = year / "JPEGImages"
    for ending in (".jpg", *sorted(IMAGE_ENDINGS)):
        if (path := folder / f"{name}{ending}").exists():
            return str(path)
    raise DataError(f"image {str(folder / name)!r} is missing with the ending .jpg and others")
