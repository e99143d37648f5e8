"""Draw keypoints and the lines between them over a crop."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from relativenas_optuna.evaluation.tasks.keypoints.joints import skeleton_of

_HEIGHT = 384
"""Smallest height of a drawing in pixels."""
_PREDICTED, _TRUE = "orange", "cyan"


def draw_person(
    image: Tensor, predicted: Tensor, true: Tensor | None, joints: Sequence[str]
) -> Image.Image:
    """Draw predicted keypoints in orange over true ones in cyan.

    Keypoints with names of COCO are joined by lines. It does not use torchvision's
    `draw_keypoints`, which draws all lines in white.

    Args:
        image: Crop, uint8 `[3, h, w]`, on the CPU.
        predicted: x and y in pixels of the crop, and the value of the heat map, `[K, 3]`.
        true: x and y, and 1 for a keypoint to draw or 0, `[K, 3]`; None to draw none.
        joints: Names of the keypoints.

    Returns:
        The drawing, enlarged by a whole number if the crop has less than 384 rows.
    """
    height, width = image.shape[1:]
    factor = -(-_HEIGHT // height)
    drawn: Image.Image = to_pil_image(image).resize((factor * width, factor * height))
    pen = ImageDraw.Draw(drawn)
    radius = max(3, factor * height // 100)
    lines = skeleton_of(joints)
    if true is not None:
        places = [(factor * x, factor * y) if used else None for x, y, used in true.tolist()]
        _draw(pen, places, lines, _TRUE, radius + 1)
    places = [(factor * x, factor * y) for x, y, _ in predicted.tolist()]
    _draw(pen, places, lines, _PREDICTED, radius)
    return drawn


def _draw(
    pen: ImageDraw.ImageDraw,
    places: Sequence[tuple[float, float] | None],
    lines: Sequence[tuple[int, int]],
    colour: str,
    radius: int,
) -> None:
    """Draw the keypoints of one person, without those that are None, and the lines between them."""
    for first, second in lines:
        start, end = places[first], places[second]
        if start and end:
            pen.line((start, end), fill=colour, width=max(1, radius - 2))
    for place in places:
        if place:
            x, y = place
            box = (x - radius, y - radius, x + radius, y + radius)
            pen.ellipse(box, fill=colour, outline="black")
