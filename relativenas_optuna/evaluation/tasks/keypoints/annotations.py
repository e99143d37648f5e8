"""Read annotations of persons with keypoints from a folder of COCO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from relativenas_optuna._utils.json_data import finite
from relativenas_optuna._utils.text import brief
from relativenas_optuna.evaluation.tasks.keypoints.joints import read_joints
from relativenas_optuna.evaluation.tasks.keypoints.json_fields import (
    Array,
    entries_of,
    inner_path,
    numbers,
    read_object,
    whole,
)
from relativenas_optuna.exceptions import DataError

_LARGEST_SIDE = 65_535
_LARGEST_AREA = _LARGEST_SIDE**2


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotations:
    """Images and their annotated persons.

    Coordinates are in pixels of the image. The top left pixel covers 0 to 1 in both directions.

    Attributes:
        joints: Names of the K keypoints that each person has.
        files: Paths of the images.
        sizes: Width and height of each image.
        image: Index of the image of each of n persons, int64, `[n]`.
        boxes: Left, top, width and height, `[n, 4]`.
        keypoints: x, y and visibility, `[n, K, 3]`. The visibility is 0 (not labelled; x and y
            have no meaning), 1 (labelled, but hidden) or 2 (labelled and visible).
        areas: Area of each person in square pixels, `[n]`.
        crowd: True for an annotation of a group of persons, `[n]`.
        samples: Indices of the persons to train on and to score, int64. They are no crowd, have
            labelled keypoints, and a box that overlaps the image.
    """

    joints: tuple[str, ...]
    files: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    image: npt.NDArray[np.int64]
    boxes: Array
    keypoints: Array
    areas: Array
    crowd: npt.NDArray[np.bool_]
    samples: npt.NDArray[np.int64]


def annotation_file(folder: Path, part: str) -> Path:
    """Return the path of the annotations of part "train" or "val" in a folder of COCO."""
    return folder / "annotations" / f"person_keypoints_{part}2017.json"


def read_annotations(folder: Path, part: str) -> Annotations:
    """Read the annotations of a part of COCO 2017, and check them.

    The file is `annotations/person_keypoints_PART2017.json`, and the images are in `PART2017/`.

    Args:
        folder: Folder of COCO.
        part: "train" or "val".

    Raises:
        DataError: The file or an image is missing, the file is no JSON of this form, a value is
            out of range, or a path leads out of the folder.
    """
    file = annotation_file(folder, part)
    try:
        return _checked(read_object(file), folder / f"{part}2017")
    except OSError as error:
        raise DataError(
            f"annotation file {str(file)!r} cannot be read: {error.strerror}; the folder must have "
            f"annotations/, train2017/ and val2017/, as the site of COCO ships them"
        ) from None
    except DataError as error:
        raise DataError(f"annotation file {str(file)!r}: {error}") from None


def _checked(data: dict[str, Any], folder: Path) -> Annotations:
    category, joints = read_joints(data)
    images = _Images(entries_of(data, "images"), folder)
    persons = [
        _Person(entry, f"annotations[{number}]", len(joints), images)
        for number, entry in enumerate(entries_of(data, "annotations"))
        if entry.get("category_id") == category
    ]
    samples = [index for index, person in enumerate(persons) if person.is_sample]
    if not samples:
        raise DataError("at least one person must have labelled keypoints, none has")
    images.require_files({persons[index].image for index in samples})
    return Annotations(
        joints=joints,
        files=tuple(images.files),
        sizes=tuple(images.sizes),
        image=np.array([person.image for person in persons], dtype=np.int64),
        boxes=np.array([person.box for person in persons]),
        keypoints=np.stack([person.keypoints for person in persons]),
        areas=np.array([person.area for person in persons]),
        crowd=np.array([person.crowd for person in persons]),
        samples=np.array(samples, dtype=np.int64),
    )


class _Images:
    """The images of an annotation file, with their indices by id."""

    def __init__(self, entries: list[dict[str, Any]], folder: Path) -> None:
        self.files: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.index: dict[int, int] = {}
        for number, entry in enumerate(entries):
            where = f"images[{number}]"
            key = whole(entry, "id", where)
            if key in self.index:
                raise DataError(f"id of {where} must differ from all others, got {key} again")
            self.index[key] = number
            self.sizes.append(
                (
                    whole(entry, "width", where, low=1, high=_LARGEST_SIDE),
                    whole(entry, "height", where, low=1, high=_LARGEST_SIDE),
                )
            )
            self.files.append(str(folder / inner_path(entry, "file_name", where)))

    def require_files(self, indices: set[int]) -> None:
        """Raise a `DataError` if files of the images at these indices are missing."""
        files = (self.files[index] for index in sorted(indices))
        missing = [file for file in files if not Path(file).is_file()]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(indices)} images with persons are missing, the first is "
                f"{missing[0]!r}: add them, or remove them and their persons from the file"
            )


class _Person:
    """One checked annotation of a person; see `Annotations` for the attributes."""

    def __init__(self, entry: dict[str, Any], where: str, joints: int, images: _Images) -> None:
        key = whole(entry, "image_id", where)
        if key not in images.index:
            raise DataError(f"image_id of {where} must be the id of an image, got {key}")
        self.image = images.index[key]
        self.box = numbers(entry, "bbox", where, 4)
        self.keypoints = numbers(entry, "keypoints", where, 3 * joints).reshape(-1, 3)
        # COCO gives indices of pixels, whose centres are half a pixel further.
        self.keypoints[:, :2] += 0.5
        self.crowd = whole(entry, "iscrowd", where, high=1, default=0) == 1
        self.area = _area(entry, where)
        visible = self.keypoints[:, 2]
        odd = visible[(visible != 0) & (visible != 1) & (visible != 2)]
        if len(odd):
            raise DataError(
                f"visibilities in keypoints of {where} must be 0, 1 or 2, got {odd[0]:g}"
            )
        labelled = int((visible > 0).sum())
        stated = whole(entry, "num_keypoints", where, high=joints, default=labelled)
        usable = _overlaps(self.box.tolist(), images.sizes[self.image])
        self.is_sample = not self.crowd and labelled > 0 and stated > 0 and usable


def _area(entry: dict[str, Any], where: str) -> float:
    area = finite(entry.get("area"))
    if area is None or not 0 <= area <= _LARGEST_AREA:
        raise DataError(
            f"area of {where} must be a number from 0 to {_LARGEST_AREA}, got "
            f"{brief(entry.get('area'))}"
        )
    return area


def _overlaps(box: list[float], size: tuple[int, int]) -> bool:
    """Return True if a part of an image of this width and height is in the box."""
    (left, top, width, height), (right, bottom) = box, size
    return (
        min(width, height) > 0
        and left < right
        and top < bottom
        and left + width > 0
        and top + height > 0
    )
