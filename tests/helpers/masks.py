"""Write small segmentation data sets: Cityscapes in its folders, and a plain folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROAD, SKY, CAR, UNLABELLED = 7, 23, 26, 0
"""Label ids of Cityscapes; the last one is ignored."""
COLOURS = {ROAD: (110, 80, 110), SKY: (90, 150, 220), CAR: (200, 40, 30), UNLABELLED: (0, 0, 0)}
HEIGHT, WIDTH = 48, 80


def street(rng: np.random.Generator) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """Return a noisy image of a road, a sky and a car, and the label id of each pixel."""
    ids = np.full((HEIGHT, WIDTH), SKY, dtype=np.uint8)
    horizon = int(rng.integers(16, 32))
    ids[horizon:] = ROAD
    left, top = int(rng.integers(0, WIDTH - 24)), int(rng.integers(horizon - 8, HEIGHT - 16))
    ids[top : top + 16, left : left + 24] = CAR
    ids[:2] = UNLABELLED
    pixels = np.zeros((HEIGHT, WIDTH, 3))
    for number, colour in COLOURS.items():
        pixels[ids == number] = colour
    pixels += rng.normal(0, 20, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), ids


def write_cityscapes(folder: Path, *, train: int = 12, val: int = 4) -> Path:
    """Write images and label ids in the folders of Cityscapes."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        places = [folder / part / split / "aachen" for part in ("leftImg8bit", "gtFine")]
        for place in places:
            place.mkdir(parents=True)
        for number in range(count):
            name = f"aachen_{number:06}_000019"
            image, ids = street(rng)
            image.save(places[0] / f"{name}_leftImg8bit.png")
            Image.fromarray(ids).save(places[1] / f"{name}_gtFine_labelIds.png")
    return folder


def write_plain(folder: Path, count: int = 4) -> Path:
    """Write images and masks of the classes sky, road and car in a plain folder."""
    rng = np.random.default_rng(1)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, ids = street(rng)
        image.save(folder / "images" / f"{number}.jpg")
        mask = np.full_like(ids, 255)
        for label, of in enumerate((SKY, ROAD, CAR)):
            mask[ids == of] = label
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    (folder / "classes.txt").write_text("sky\nroad\ncar\n")
    return folder
