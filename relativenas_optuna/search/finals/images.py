"""Images of the finals: those of the search, resized to few pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from relativenas_optuna.training.data.images import Images


def shrunk(images: Images, pixels: int) -> Images:
    """Return images whose longer side has at most `pixels` pixels, in the same proportions.

    Smaller images are returned as they are. The mean and std of the given images are kept.

    Args:
        images: Images of any size.
        pixels: Largest side in pixels, at least 1.
    """
    _, height, width = images.shape
    longest = max(height, width)
    if longest <= pixels:
        return images
    size = [max(1, round(side * pixels / longest)) for side in (height, width)]
    # On the CPU, since not every device can resize uint8 images.
    small = functional.interpolate(images.images.cpu(), size=size, mode="bilinear", antialias=True)
    return replace(images, images=small.to(images.device))
