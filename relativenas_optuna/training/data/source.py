"""Where batches come from: images in memory, or such as are read while training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from relativenas_optuna.training.augmentation import Augmentation, normalise
from relativenas_optuna.training.batch_parts import BatchParts
from relativenas_optuna.training.randomness import Generators


class Source(Protocol):
    """Labelled images of one size; `Images` is one."""

    @property
    def labels(self) -> Tensor:
        """Of all images: int64, `[n]`."""

    @property
    def device(self) -> torch.device:
        """Where images and labels come to."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""

    def __len__(self) -> int:
        """Number of images."""

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and std for `normalise`."""

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images `[b, c, h, w]` and labels `[b]` to train on, for each of the index tensors.

        What is random about an image follows from `seed` and its index alone.
        """

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images and labels in order, as they are scored."""


def training_parts(
    source: Source,
    batches: Sequence[tuple[int, int]],
    batch_parts: BatchParts,
    augmentation: Augmentation,
    generators: Generators,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The parts of an epoch that a process trains on: images ready for the network, and labels.

    Every process draws the same order, and the same augmentation for a whole batch, so that it
    does not matter for an image who trains on it.

    Args:
        source: Of the images.
        batches: Their bounds in the order drawn.
        batch_parts: Of this process.
        augmentation: Applied to every batch anew.
        generators: Of order and augmentation.
    """
    order = torch.randperm(len(source), generator=generators.order).to(source.device)
    own = [bounds for batch in batches for bounds in batch_parts.own(*batch)]
    seed = generators.augmentation.initial_seed()
    pieces = source.pieces((order[start:stop] for start, stop in own), seed)
    mean, std = source.statistics()
    _, height, width = source.shape
    for start, stop in batches:
        draws = augmentation.draw(stop - start, height, width, generators.augmentation)
        for begin, end in batch_parts.own(start, stop):
            images, labels = next(pieces)
            part = draws[begin - start : end - start]
            yield augmentation.apply(images, mean, std, part), labels


def plain_batches(source: Source, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All images, normalised, and their labels."""
    mean, std = source.statistics()
    for images, labels in source.batches(batch_size):
        yield normalise(images, mean, std), labels
