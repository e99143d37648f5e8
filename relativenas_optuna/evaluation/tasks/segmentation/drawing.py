"""Draw segmentations over images."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.datasets import Cityscapes
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import draw_segmentation_masks

from relativenas_optuna.evaluation.tasks.segmentation.folders import IGNORED

_OPACITY = 0.6
_ROW, _SQUARE, _MARGIN = 16, 10, 4  # pixels


def draw_masks(
    image: Tensor, predicted: Tensor, true: Tensor | None, classes: tuple[str, ...]
) -> Image.Image:
    """Draw the classes of pixels over an image, with a legend of the classes that occur.

    Args:
        image: The image, uint8 `[3, h, w]`.
        predicted: Predicted class of each pixel, `[h, w]`.
        true: True class of each pixel, drawn to the right; 255 for none. None to leave it out.
        classes: Names of the classes.
    """
    colours = _colours(classes)
    masks = [predicted] if true is None else [predicted, true]
    shown = [_painted(image, mask, colours) for mask in masks]
    found = sorted({int(value) for mask in masks for value in torch.unique(mask)} - {IGNORED})
    return _with_legend(
        to_pil_image(torch.cat(shown, dim=2)), [(classes[n], colours[n]) for n in found]
    )


def _painted(image: Tensor, mask: Tensor, colours: list[tuple[int, int, int]]) -> Tensor:
    layers = torch.stack([mask == number for number in range(len(colours))])
    painted: Tensor = draw_segmentation_masks(image, layers, _OPACITY, colours)
    return painted


def _colours(classes: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Return a colour for each class: that of Cityscapes, or one that the other classes lack."""
    known = {of.name: tuple(of.color) for of in Cityscapes.classes}
    if all(name in known for name in classes):
        return [known[name] for name in classes]
    # Multiples of the golden angle on the circle of hues differ most.
    from colorsys import hsv_to_rgb

    hues = [(0.4 + number * 0.618034) % 1 for number in range(len(classes))]
    return [tuple(round(255 * part) for part in hsv_to_rgb(hue, 0.8, 0.9)) for hue in hues]  # type: ignore[misc]


def _with_legend(
    image: Image.Image, entries: list[tuple[str, tuple[int, int, int]]]
) -> Image.Image:
    """Return an image with rows of coloured squares and names under it."""
    pen = ImageDraw.Draw(image)
    places, left, row = [], _MARGIN, 0
    for name, _ in entries:
        width = _SQUARE + 2 * _MARGIN + int(pen.textlength(name))
        if left > _MARGIN and left + width > image.width:
            left, row = _MARGIN, row + 1
        places.append((left, row))
        left += width + _MARGIN
    whole = Image.new("RGB", (image.width, image.height + (row + 1) * _ROW), "white")
    whole.paste(image)
    pen = ImageDraw.Draw(whole)
    for (name, colour), (left, row) in zip(entries, places, strict=True):
        top = image.height + row * _ROW + (_ROW - _SQUARE) // 2
        pen.rectangle((left, top, left + _SQUARE, top + _SQUARE), fill=colour, outline="black")
        pen.text((left + _SQUARE + _MARGIN, top - 1), name, fill="black")
    return whole
