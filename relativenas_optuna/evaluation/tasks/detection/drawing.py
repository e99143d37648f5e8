"""Draw boxes over images."""

from __future__ import annotations

from collections.abc import Sequence

from PIL.Image import Image
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import draw_bounding_boxes

SHOWN = 0.5
"""Least score of a detection that is drawn."""
_TRUE, _FOUND = "limegreen", "orangered"
_LINE = 2  # pixels


def draw_boxes(
    image: Tensor,
    prediction: dict[str, Tensor],
    target: dict[str, Tensor] | None,
    classes: Sequence[str],
) -> Image:
    """Draw detections in red with class and score, and the objects of the target in green.

    Args:
        image: uint8, `[3, h, w]`, on the CPU.
        prediction: "boxes" `[n, 4]` in pixels of the image, "scores" `[n]` and "labels" `[n]`.
            Scores below 0.5 are not drawn.
        target: "boxes" `[m, 4]` and "labels" `[m]`; None to draw the detections alone.
        classes: Names of the classes without the background.
    """
    if target is not None and len(target["boxes"]):
        image = _drawn(image, target["boxes"], _names(target["labels"], classes), _TRUE)
    shown = prediction["scores"] >= SHOWN
    if shown.any():
        names = _names(prediction["labels"][shown], classes)
        scores = prediction["scores"][shown].tolist()
        texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
        image = _drawn(image, prediction["boxes"][shown], texts, _FOUND)
    found: Image = to_pil_image(image)
    return found


def _names(labels: Tensor, classes: Sequence[str]) -> list[str]:
    return [classes[label - 1] for label in labels.tolist()]


def _drawn(image: Tensor, boxes: Tensor, texts: list[str], colour: str) -> Tensor:
    drawn: Tensor = draw_bounding_boxes(
        image, boxes, texts, colour, width=_LINE,
        label_colors="black", label_background_colors=colour, fill_labels=True,
    )  # fmt: skip
    return drawn
