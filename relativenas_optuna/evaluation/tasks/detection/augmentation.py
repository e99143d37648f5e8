"""The image augmentation of SSD, and the resizing of images for evaluation.

Random numbers come from torch's global generator on the CPU.
"""

from __future__ import annotations

from functools import cache

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from relativenas_optuna.training.data.statistics import STATISTICS

_LEAST_CROPPED = 4
"""Least side in pixels of an image that is cropped; a crop may have 0.3 of it."""
_SEEN = 1.0
"""Least side in pixels of a box that is trained on."""


def augmented(
    image: Tensor, boxes: Tensor, labels: Tensor, *, side: int, flip: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Augment an image and its boxes by the transforms of SSD.

    Colours are distorted at random. The image is put on a larger canvas of ImageNet's mean colour
    with probability 1/2, cropped with a random least IoU of the crop and a box, mirrored with
    probability 1/2, and resized. Boxes whose centre is cropped away, or that are smaller than a
    pixel at the end, are left out. Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV
    2016; the magnitudes are torchvision's.

    Args:
        image: uint8, `[3, h, w]`.
        boxes: Boxes in pixels, `[n, 4]`.
        labels: Labels, `[n]`.
        side: Height and width of the result in pixels.
        flip: True to mirror images.

    Returns:
        The image `[3, side, side]`, and boxes `[m, 4]` and labels `[m]` with m at most n.
    """
    cropped = len(boxes) > 0 and min(image.shape[-2:]) >= _LEAST_CROPPED
    transform = _transform(side, flip, cropped)
    image, target = transform(
        tv_tensors.Image(image), {"boxes": _in_image(boxes, image), "labels": labels}
    )
    plain: Tensor = image.as_subclass(Tensor)
    return plain, target["boxes"].as_subclass(Tensor), target["labels"]


def resized(image: Tensor, boxes: Tensor, *, side: int) -> tuple[Tensor, Tensor]:
    """Return an image `[3, h, w]` and its boxes, resized to `side` times `side` pixels."""
    image, boxes = v2.Resize((side, side))(tv_tensors.Image(image), _in_image(boxes, image))
    return image.as_subclass(Tensor), boxes.as_subclass(Tensor)


def _in_image(boxes: Tensor, image: Tensor) -> Tensor:
    found: Tensor = tv_tensors.BoundingBoxes(
        boxes.reshape(-1, 4), format="XYXY", canvas_size=tuple(image.shape[-2:])
    )
    return found


@cache
def _transform(side: int, flip: bool, cropped: bool) -> v2.Transform:
    grey = [round(255 * level) for level in STATISTICS["imagenet"].mean]
    return v2.Compose([
        v2.RandomPhotometricDistort(),
        v2.RandomZoomOut(fill=grey),
        *([v2.RandomIoUCrop()] if cropped else []),
        *([v2.RandomHorizontalFlip()] if flip else []),
        v2.ClampBoundingBoxes(),
        v2.Resize((side, side)),
        v2.SanitizeBoundingBoxes(min_size=_SEEN),
    ])  # fmt: skip
