"""Test how one image file is read as RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from relativenas_optuna.training import DataError
from relativenas_optuna.training.data.image_file import open_image

CLEAR = (0, 0, 0, 0)


def drawing(ink: tuple[int, int, int], mode: str) -> Image.Image:
    """Return a square on a transparent ground."""
    image = Image.new("RGBA", (8, 8), CLEAR)
    ImageDraw.Draw(image).rectangle((2, 2, 5, 5), fill=(*ink, 255))
    if mode == "P":
        return image.quantize(4)
    return image.convert(mode)


def saved(folder: Path, image: Image.Image, ending: str = "png", **options: Any) -> np.ndarray:
    path = folder / f"image.{ending}"
    image.save(path, **options)
    return np.asarray(open_image(str(path)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("level", "ground"), [(0, 255), (128, 255), (255, 0)])
def test_a_drawing_is_laid_on_white_or_where_it_is_white_on_black(
    tmp_path: Path, mode: str, level: int, ground: int
) -> None:
    pixels = saved(tmp_path, drawing((level,) * 3, mode))
    assert (pixels[2:6, 2:6] == level).all()
    assert (pixels[0] == ground).all()


@pytest.mark.parametrize("ending", ["gif", "webp", "tif"])
def test_transparency_of_other_formats_is_laid_on_white(tmp_path: Path, ending: str) -> None:
    pixels = saved(tmp_path, drawing((9, 9, 9), "RGBA"), ending, lossless=True)
    assert (pixels[0] == 255).all()
    assert (pixels[3, 3] == 9).all()


def test_a_colour_that_means_transparent_is_laid_on_white(tmp_path: Path) -> None:
    for mode, colour in (("L", 7), ("RGB", (7, 8, 9))):
        image = Image.new(mode, (4, 4))
        image.putpixel((0, 0), colour)
        pixels = saved(tmp_path, image, transparency=colour)
        assert pixels[0, :2].tolist() == [[255] * 3, [0] * 3]


def test_half_transparent_is_mixed_with_white(tmp_path: Path) -> None:
    pixels = saved(tmp_path, Image.new("RGBA", (2, 2), (0, 100, 200, 51)))
    assert pixels[0, 0].tolist() == [204, 224, 244]


def test_what_is_transparent_all_over_is_taken_as_opaque(tmp_path: Path) -> None:
    pixels = saved(tmp_path, Image.new("RGBA", (2, 2), (10, 20, 30, 0)))
    assert pixels[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("kind", ["png", "tif", "pgm", "jp2"])
def test_an_image_of_16_bits_is_refused_rather_than_clipped(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match="more than 8 bits"):
        saved(tmp_path, Image.fromarray(np.full((4, 4), 5000, dtype=np.uint16)), kind)


def test_a_program_that_draws_is_no_image(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    path = (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match="its format is EPS, convert it"):
        open_image(str(path))
