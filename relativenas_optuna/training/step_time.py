"""Choose how many images a training step has whose time is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FEW = 8  # images of the first steps


def images_of_step(seconds_of: Callable[[int], float], images: int, *, seconds: float) -> int:
    """Return how many images a timed step has: all, or as many as take about a time.

    Args:
        seconds_of: Function that takes a step on a number of images and returns its duration in
            seconds. The first step takes longer and does not count.
        images: Number of images in a step of the training.
        seconds: Duration of the timed step in seconds. It is longer if 8 images take longer.
    """
    few = min(_FEW, images)
    seconds_of(few)
    of_image = max(1e-9, seconds_of(few)) / few
    return max(few, min(images, int(seconds / of_image)))
