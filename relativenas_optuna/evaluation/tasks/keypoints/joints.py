"""Names and mirror images of keypoints, and the lines that are drawn between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from relativenas_optuna.evaluation.tasks.keypoints.json_fields import entries_of, whole
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.io.description import check_classes

_SIDE = re.compile(r"(?<![a-z])(left|right|[lr](?![a-z]))", re.IGNORECASE)
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}

_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)
COCO_JOINTS = tuple(_COCO.split())
"""The keypoints of COCO."""
_LINES = (
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
    ("right_eye", "right_ear"), ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
    *(
        (f"{side}_{first}", f"{side}_{second}")
        for side in ("left", "right")
        for first, second in (
            ("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"),
            ("knee", "ankle"),
        )
    ),
)  # fmt: skip


def skeleton_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of indices of keypoints between which a line is drawn.

    Keypoints have lines if they have names of COCO.
    """
    index = {name: number for number, name in enumerate(names)}
    return [(index[a], index[b]) for a, b in _LINES if a in index and b in index]


def read_joints(data: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    """Return the id and the keypoints of the only category with keypoints in an annotation file.

    Raises:
        DataError: There is no such category or more than one, or a field of it is wrong.
    """
    found = [entry for entry in entries_of(data, "categories") if entry.get("keypoints")]
    if len(found) != 1:
        raise DataError(f"one of the categories must have keypoints, got {len(found)} with them")
    names = found[0]["keypoints"]
    names = tuple(names) if isinstance(names, list) else names
    try:
        check_classes(names)
    except ValueError as error:
        raise DataError(f"keypoints of the category: {error}") from None
    mirrored_joints(names)
    return whole(found[0], "id", "the category with keypoints"), names


def mirrored_joints(names: Sequence[str]) -> tuple[int, ...]:
    """Return for each keypoint the index of the one that it becomes in a mirror image.

    Keypoints are pairs if their names differ by the words left and right, or l and r.

    Raises:
        DataError: A left or right keypoint has no partner.

    Example:
        >>> mirrored_joints(["nose", "left_eye", "right_eye"])
        (0, 2, 1)
    """
    index = {name: number for number, name in enumerate(names)}
    partners = []
    for name in names:
        partner = _SIDE.sub(_other_side, name)
        if partner not in index:
            raise DataError(
                f"keypoint {name!r} needs a partner {partner!r}, which it becomes in a mirror "
                f"image; the keypoints are {', '.join(names)}"
            )
        partners.append(index[partner])
    return tuple(partners)


def _other_side(side: re.Match[str]) -> str:
    word = side[0]
    other = _OTHER_SIDE[word.lower()]
    return other.upper() if word.isupper() else other.title() if word.istitle() else other
