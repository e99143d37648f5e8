"""Make batches of images that are in memory, or that are read from files while training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from relativenas_optuna.training.augmentation import Augmentation, normalise
from relativenas_optuna.training.batch_parts import BatchParts
from relativenas_optuna.training.randomness import Generators


class Source(Protocol):
    """A source of labelled images of one size; `Images` and `StreamedImages` are sources."""

    @property
    def labels(self) -> Tensor:
        """Labels of all images, int64, `[n]`."""

    @property
    def device(self) -> torch.device:
        """Device of the images and labels that are yielded."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""

    def __len__(self) -> int:
        """Return the number of images."""

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and std for `normalise`."""

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images `[b, c, h, w]` and labels `[b]` to train on, for each index tensor `[b]`.

        A random transform of an image depends on `seed` and the index of the image only.
        """

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images and labels in order, prepared for evaluation."""


def training_parts(
    source: Source,
    batches: Sequence[tuple[int, int]],
    batch_parts: BatchParts,
    augmentation: Augmentation,
    generators: Generators,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the augmented images and the labels of every part that a process trains on.

    Every process draws the same order, and the augmentation of whole batches. So the augmentation
    of an image does not depend on the process that trains on it.

    Args:
        source: Source of the images.
        batches: Bounds of the batches in the random order.
        batch_parts: Parts of a batch that this process trains on.
        augmentation: Augmentation, drawn anew for every batch.
        generators: Random generators for the order and the augmentation.
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
    """Yield all images in order, normalised, and their labels."""
    mean, std = source.statistics()
    for images, labels in source.batches(batch_size):
        yield normalise(images, mean, std), labels
