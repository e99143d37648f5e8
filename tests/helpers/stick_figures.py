"""Write a folder of COCO with stick figures whose joints are coloured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from relativenas_optuna.evaluation.tasks.keypoints.annotations import annotation_file
from relativenas_optuna.evaluation.tasks.keypoints.joints import skeleton_of

JOINTS = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
"""Keypoints of a small figure. A figure looks at the reader, so its left is on the right."""
_COLOURS = {
    "head": "red", "hand": "lime", "foot": "blue", "nose": "red", "eye": "black", "ear": "maroon",
    "shoulder": "yellow", "elbow": "olive", "wrist": "lime", "hip": "magenta", "knee": "navy",
    "ankle": "blue",
}  # fmt: skip


def write_coco(
    folder: Path, *, train: int = 24, val: int = 8, joints: tuple[str, ...] = JOINTS, seed: int = 0
) -> Path:
    """Write images of mixed sizes with one or two figures each, and return the folder.

    Args:
        folder: Folder to write to.
        train: Number of images to train on.
        val: Number of images to score with; 0 writes no such part.
        joints: `JOINTS`, or the joints of COCO.
        seed: Seed of all figures.
    """
    rng = np.random.default_rng(seed)
    for part, count in (("train", train), ("val", val)):
        if count:
            _write_part(folder, part, count, joints, rng)
    return folder


def change(folder: Path, part: str = "train", **fields: Any) -> None:
    """Change fields of the first annotation of a part; None removes a field."""
    file = annotation_file(folder, part)
    data = json.loads(file.read_text())
    first = data["annotations"][0]
    first.update(fields)
    data["annotations"][0] = {name: value for name, value in first.items() if value is not None}
    file.write_text(json.dumps(data))


def _write_part(
    folder: Path, part: str, count: int, joints: tuple[str, ...], rng: np.random.Generator
) -> None:
    (folder / f"{part}2017").mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        figures = 1 + number % 2
        width, height = (int(side) for side in rng.integers((90 * figures, 100), (200, 160)))
        pixels = rng.integers(60, 120, (height, width, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        for figure in range(figures):
            span = width / figures
            points = _pose(joints, rng) * (0.35 * span, 0.4 * height)
            points += np.array([span * (figure + 0.5), 0.5 * height])
            points = points.clip(6, (width - 7, height - 7)).round()
            _draw(image, points, joints)
            annotations.append(_annotation(len(annotations), number, points))
        name = f"{number:012}.{'png' if number % 3 else 'jpg'}"
        image.save(folder / f"{part}2017" / name)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
    category = {"id": 1, "name": "person", "keypoints": joints, "skeleton": []}
    data = {"images": images, "annotations": annotations, "categories": [category]}
    annotation_file(folder, part).write_text(json.dumps(data))


def _annotation(number: int, image: int, points: npt.NDArray[np.float64]) -> dict[str, Any]:
    low, high = points.min(axis=0) - 6, points.max(axis=0) + 7
    width, height = high - low
    return {
        "id": number + 1,
        "image_id": image,
        "category_id": 1,
        "bbox": [float(value) for value in (*low, width, height)],
        "area": float(width * height),
        "iscrowd": 0,
        "num_keypoints": len(points),
        "keypoints": [int(value) for x, y in points for value in (x, y, 2)],
    }


def _pose(joints: tuple[str, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the joints of a figure between -1 and 1, with arms and legs at random angles."""
    places: dict[str, npt.NDArray[np.float64]] = {}
    places["head"] = places["nose"] = np.array([rng.uniform(-0.2, 0.2), -0.8])
    for sign, side in ((1, "left"), (-1, "right")):
        for name, across, up in (("eye", 0.06, 0.06), ("ear", 0.14, 0.03)):
            places[f"{side}_{name}"] = places["nose"] + (sign * across, -up)
        shoulder, hip = np.array([0.3 * sign, -0.5]), np.array([0.2 * sign, 0.1])
        arm, leg = _unit(rng.uniform(-70, 80), sign), _unit(rng.uniform(30, 85), sign)
        places |= {
            f"{side}_shoulder": shoulder,
            f"{side}_elbow": shoulder + 0.3 * arm,
            f"{side}_wrist": shoulder + 0.6 * arm,
            f"{side}_hand": shoulder + 0.6 * arm,
            f"{side}_hip": hip,
            f"{side}_knee": hip + 0.4 * leg,
            f"{side}_ankle": hip + 0.8 * leg,
            f"{side}_foot": hip + 0.8 * leg,
        }
    return np.array([places[joint] for joint in joints])


def _unit(degrees: float, sign: int) -> npt.NDArray[np.float64]:
    """Return a direction to the side of a sign, and down by an angle."""
    angle = np.deg2rad(degrees)
    return np.array([sign * np.cos(angle), np.sin(angle)])


def _draw(image: Image.Image, points: npt.NDArray[np.float64], joints: tuple[str, ...]) -> None:
    pen = ImageDraw.Draw(image)
    places = [(float(x), float(y)) for x, y in points]
    centre = tuple(points.mean(axis=0).tolist())
    lines = skeleton_of(joints)
    if lines:
        for first, second in lines:
            pen.line((places[first], places[second]), fill="white", width=3)
    else:
        for place in places:
            pen.line((centre, place), fill="white", width=2)
    radius = 6 if joints == JOINTS else 3
    for joint, (x, y) in zip(joints, places, strict=True):
        colour = _COLOURS[joint.rpartition("_")[2]]
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
