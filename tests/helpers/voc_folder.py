"""Write folders in the format of PASCAL VOC, with coloured shapes on noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("disc", "square")
_COLOURS = {"disc": (230, 40, 40), "square": (40, 60, 230)}


class Shape(NamedTuple):
    """An object of an annotation; the box is in VOC's pixels from 1."""

    name: str
    box: Sequence[float]
    difficult: int = 0


def annotation_text(shapes: Sequence[Shape], size: tuple[int, int]) -> str:
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>{difficult}</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
        f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for name, box, difficult in shapes
    )
    return (
        f"<annotation><folder>VOC2007</folder><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height><depth>3</depth></size>{objects}</annotation>"
    )


def add_image(
    year: Path, name: str, shapes: Sequence[Shape], image: Image.Image, part: str = "trainval"
) -> None:
    """Write an image and its annotation, and add its name to a part."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (year / folder).mkdir(parents=True, exist_ok=True)
    image.save(year / "JPEGImages" / f"{name}.jpg", quality=95)
    (year / "Annotations" / f"{name}.xml").write_text(annotation_text(shapes, image.size))
    with (year / "ImageSets" / "Main" / f"{part}.txt").open("a") as names:
        names.write(f"{name}\n")


def write_voc(
    devkit: Path,
    *,
    training: int = 8,
    test: int = 4,
    seed: int = 0,
    sides: tuple[int, int] = (80, 128),
    most: int = 2,
) -> Path:
    """Write a folder VOCdevkit with images of one or two shapes, and return it.

    Args:
        devkit: Folder to write.
        training: Number of images in the part trainval of VOC2007.
        test: Number of images in its part test.
        seed: Seed of the images.
        sides: Least and largest side of an image in pixels.
        most: Largest number of shapes in an image, 1 or 2.
    """
    rng = np.random.default_rng(seed)
    for number in range(training + test):
        width, height = (int(side) for side in rng.integers(*sides, size=2, endpoint=True))
        pixels = rng.integers(90, 160, size=(height, width, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        shapes = [_drawn(image, slot, rng) for slot in range(rng.integers(1, 1 + most))]
        part = "trainval" if number < training else "test"
        add_image(devkit / "VOC2007", f"{number:06}", shapes, image, part)
    (devkit / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return devkit


def _drawn(image: Image.Image, slot: int, rng: np.random.Generator) -> Shape:
    """Draw a shape into the left (slot 0) or the right half of an image."""
    name = CLASSES[int(rng.integers(len(CLASSES)))]
    half = image.width // 2
    side = int(rng.integers(half // 2, half - 2))
    left = slot * half + int(rng.integers(0, half - side))
    top = int(rng.integers(0, image.height - side))
    corners = (left, top, left + side - 1, top + side - 1)
    draw = ImageDraw.Draw(image)
    (draw.ellipse if name == "disc" else draw.rectangle)(corners, fill=_COLOURS[name])
    return Shape(name, [1 + corner for corner in corners])
