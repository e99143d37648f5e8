"""Compute mean and standard deviation of the channels of images, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

_PIECE = 1024  # images that are converted to float64 at once

Means = tuple[tuple[float, ...], tuple[float, ...]]


def channel_statistics(images: Tensor) -> Means:
    """Return mean and standard deviation of every channel, in the units of `Images.mean`.

    Args:
        images: uint8 or float32 images, `[n, c, h, w]`, n at least 1.

    Returns:
        Mean and std. The std is never 0: for uint8 images it is at least one grey level (1/255);
        for float32 images whose values are all equal it is 1.
    """
    return statistics_of_pieces(lambda: torch.split(images, _PIECE))


def statistics_of_pieces(pieces: Callable[[], Iterable[Tensor]]) -> Means:
    """Return the `channel_statistics` of images that are read piece by piece.

    Args:
        pieces: Function that yields all images, `[b, c, h, w]` at a time. It is called twice for
            float32 images.
    """
    first = next(iter(pieces()))
    of = _of_floats if first.is_floating_point() else _of_bytes
    return of(pieces, first.shape[1])


def _of_bytes(pieces: Callable[[], Iterable[Tensor]], channels: int) -> Means:
    levels = ByteLevels(channels)
    for piece in pieces():
        levels.add(piece)
    return levels.statistics()


class ByteLevels:
    """Numbers of values of each level in the channels of uint8 images.

    They are exact, and need no float copy of the images.

    Args:
        channels: Number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._counts = np.zeros((channels, 256), dtype=np.int64)

    def add(self, images: Tensor) -> None:
        """Count the values of images `[b, c, h, w]`."""
        for channel, values in enumerate(images.unbind(1)):
            counts = torch.bincount(values.reshape(-1), minlength=256)
            self._counts[channel] += counts.cpu().numpy()

    def statistics(self) -> Means:
        """Return mean and standard deviation of every channel; see `channel_statistics`."""
        levels = np.arange(256, dtype=np.float64) / 255
        means, stds = [], []
        for share in self._counts / self._counts.sum(1, keepdims=True):
            mean = float(share @ levels)
            means.append(mean)
            stds.append(max(float(share @ (levels - mean) ** 2) ** 0.5, 1 / 255))
        return tuple(means), tuple(stds)


def _of_floats(pieces: Callable[[], Iterable[Tensor]], channels: int) -> Means:
    total, number = torch.zeros(channels, dtype=torch.float64), 0
    least = torch.full((channels,), torch.inf, dtype=torch.float64)
    most = -least
    for piece in pieces():
        values = piece.cpu().double()
        total += values.sum((0, 2, 3))
        number += values[:, 0].numel()
        least = torch.minimum(least, values.amin((0, 2, 3)))
        most = torch.maximum(most, values.amax((0, 2, 3)))
    mean = total / number
    squares = torch.zeros_like(total)
    for piece in pieces():
        squares += ((piece.cpu().double() - mean[:, None, None]) ** 2).sum((0, 2, 3))
    std = torch.where(least < most, (squares / number).sqrt(), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())
