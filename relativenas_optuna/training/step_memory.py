"""Refuse training steps that cannot fit in memory."""

from __future__ import annotations

from collections.abc import Callable

from relativenas_optuna._utils.memory import memory_left, shortage
from relativenas_optuna.exceptions import DataError

# Bytes of activations per pixel, channel, node and cell: more than the 22 that networks of our
# operations keep on average.
_AMPLE = 60


def check_step_memory(
    activations: Callable[[], float],
    *,
    images: int,
    input_size: tuple[int, int, int],
    width: int,
) -> None:
    """Raise if the activations of one training step cannot fit in memory.

    Args:
        activations: Function that returns the bytes of activations for one image. It can take
            seconds, and is called only if memory could be short.
        images: Number of images in a step.
        input_size: Channels, height and width of an image.
        width: Channels times nodes times cells of the network.

    Raises:
        DataError: The activations do not fit; the message says how much memory is missing.
    """
    _, height, across = input_size
    if _AMPLE * width * height * across * images <= memory_left():
        return
    short = shortage(activations() * images)
    if short is not None:
        raise DataError(
            f"a training step of {images} images of {across}x{height} needs {short}: give a "
            f"smaller size (--size), or a smaller batch_size"
        )
