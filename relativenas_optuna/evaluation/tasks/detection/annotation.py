"""Read the objects of one image from an annotation file of PASCAL VOC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor

from relativenas_optuna._utils.text import brief
from relativenas_optuna.exceptions import DataError

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""The classes of PASCAL VOC, in the order of their labels."""
_LARGEST_FILE = 2**20  # bytes; an annotation of VOC has a few thousand
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NAMED = 5
"""Number of class names in one message."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """The objects of one image.

    Attributes:
        boxes: Boxes as left, top, right and bottom in pixels of the image, float32, `[n, 4]`. The
            left and top side of the image are 0, its right and bottom side are its width and
            height.
        labels: Labels, int64, `[n]`; label 1 is the first class, because 0 is the background.
        difficult: True for objects that are hard to recognise, bool, `[n]`. They are not trained
            on, and finding or missing them does not count.
    """

    boxes: Tensor
    labels: Tensor
    difficult: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def read_annotation(path: Path, classes: Sequence[str], size: tuple[int, int]) -> Annotation:
    """Read an annotation file.

    A box in the file names its first and last column and row of pixels, from 1. A box that is
    partly outside of the image is cut to the image. An image may have no objects.

    Args:
        path: Path of the XML file.
        classes: Names of the classes, without the background.
        size: Width and height of the image in pixels.

    Raises:
        DataError: The file is missing, too large, no XML, has entities of its own, or an object
            has an unknown class or no box with an area in the image.
    """
    shown = str(path)
    objects = [
        _object(element, f"annotation {shown!r}: object {number}", classes, size)
        for number, element in enumerate(_root(path).findall("object"), start=1)
    ]
    boxes, labels, difficult = zip(*objects, strict=True) if objects else ((), (), ())
    return Annotation(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(difficult, dtype=torch.bool),
    )


def _root(path: Path) -> ElementTree.Element:
    """Return the root element of an XML file; see `read_annotation`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(f"annotation {str(path)!r} cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST_FILE:
        raise DataError(
            f"annotation {str(path)!r} must have at most {_LARGEST_FILE:,} bytes; it is larger"
        )
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=_WithoutEntities()))
    except _DocumentTypeError as error:
        raise DataError(
            f"annotation {str(path)!r} must have no document type and no entities"
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # also unknown encodings
        raise DataError(f"annotation {str(path)!r} is no XML: {error}") from error


class _DocumentTypeError(Exception):
    """Error raised if an XML file has a document type."""


class _WithoutEntities(ElementTree.TreeBuilder):
    """A builder that refuses document types, in which alone a file can declare entities.

    Entities may name other files, or expand to gigabytes.
    """

    def doctype(self, name: str, public_id: str, system: str) -> None:
        raise _DocumentTypeError


def _object(
    element: ElementTree.Element, where: str, classes: Sequence[str], size: tuple[int, int]
) -> tuple[list[float], int, bool]:
    """Return the box, the label and the difficulty of an object."""
    name = _text(element, "name")
    if name not in classes:
        more = f" and {len(classes) - _NAMED} more" if len(classes) > _NAMED else ""
        raise DataError(
            f"{where} has class {brief(name)}, which is not among the {len(classes)} classes "
            f"({', '.join(classes[:_NAMED])}{more}); correct it, or list all classes in a file "
            f"classes.txt beside the folder of the year before you train"
        )
    difficult = _text(element, "difficult") or "0"
    if difficult not in ("0", "1"):
        raise DataError(f"{where} must have difficult 0 or 1, got {brief(difficult)}")
    corners = element.find("bndbox")
    if corners is None:
        raise DataError(f"{where} ({name}) has no bndbox")
    left, top, right, bottom = (_number(corners, side, where) for side in _SIDES)
    width, height = size
    box = [max(left - 1, 0.0), max(top - 1, 0.0), min(right, width), min(bottom, height)]
    if not (box[0] < box[2] and box[1] < box[3]):
        raise DataError(
            f"{where} ({name}) has no area in its image of {width}x{height} pixels: xmin "
            f"{left:g}, ymin {top:g}, xmax {right:g}, ymax {bottom:g}"
        )
    return box, 1 + classes.index(name), difficult == "1"


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _number(corners: ElementTree.Element, side: str, where: str) -> float:
    text = _text(corners, side)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where} must have a number of pixels as {side}, got {brief(text)}")
    return number
