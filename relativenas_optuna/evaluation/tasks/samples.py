"""Annotated images of a task, which are read from files while training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.file_batches import keyed_randomness, read_batches
from relativenas_optuna.training.data.statistics import STATISTICS

_CPU = torch.device("cpu")


class Records(Protocol):
    """Annotated images that are read one at a time. They are pickled for worker processes."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read(self, index: int, *, augment: bool) -> tuple[Tensor, Any]:
        """Return an image and its target.

        Args:
            index: Number of the image, from 0.
            augment: True for training: the image gets the size of the training and random
                transforms. They draw from torch's global CPU generator, which is seeded before the
                call. False for evaluation, without any randomness.

        Returns:
            The image, uint8 `[c, h, w]`, and its target: a tensor, or a dict of tensors and plain
            values.

        Raises:
            DataError: The image or its annotation cannot be read.
        """

    def fingerprint(self) -> str:
        """Return a text that changes with anything that `read` depends on, except paths."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """Annotated images to train on or to evaluate on.

    Args:
        records: The images and their annotations.
        indices: Numbers of the records that belong to this set, in order.
        classes: Names of what the network tells apart, in the order of its outputs.
        shape: Channels, height and width in pixels of an image for training.
        mean: Mean of each channel, in units of [0, 1].
        std: Standard deviation of each channel, above 0, in the same units.
        workers: Processes that read ahead; 0 reads in this process. The images do not depend on it.
        device: Device of the batches.
    """

    records: Records
    indices: Sequence[int]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...] = STATISTICS["imagenet"].mean
    std: tuple[float, ...] = STATISTICS["imagenet"].std
    workers: int = 0
    device: torch.device = _CPU

    @classmethod
    def of(
        cls, records: Records, classes: tuple[str, ...], shape: tuple[int, int, int], workers: int
    ) -> Samples:
        """Return all images of some records, with the mean and std of ImageNet."""
        return cls(
            records=records,
            indices=range(len(records)),
            classes=classes,
            shape=shape,
            workers=workers,
        )

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device | str) -> Samples:
        """Return the same images with batches on `device`."""
        return replace(self, device=torch.device(device))

    def subset(self, indices: Iterable[int]) -> Samples:
        """Return the images at `indices`, in that order."""
        return replace(self, indices=[self.indices[index] for index in indices])

    def split(self, fraction: float, *, seed: int) -> tuple[Samples, Samples]:
        """Split the images at random into training and validation images.

        Args:
            fraction: Share of the training part, above 0 and below 1; each part has at least one
                image.
            seed: Seed of the random split, at least 0.

        Raises:
            DataError: There are fewer than two images.
        """
        if len(self) < 2:
            raise DataError(
                f"a split into training and validation needs at least 2 images, got {len(self)}"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).tolist()
        count = min(len(self) - 1, max(1, round(fraction * len(self))))
        return self.subset(sorted(order[:count])), self.subset(sorted(order[count:]))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and std as float32 tensors `[c]` on the device."""
        mean, std = (
            torch.tensor(of, dtype=torch.float32, device=self.device)
            for of in (self.mean, self.std)
        )
        return mean, std

    def fingerprint(self) -> str:
        """Return a fingerprint of the images and annotations; 16 hexadecimal digits."""
        # Rounded, since the last bits of a mean can differ between machines.
        mean, std = ([f"{value:.5g}" for value in of] for of in (self.mean, self.std))
        text = repr((self.classes, self.shape, mean, std, list(self.indices)))
        return sha256(f"{text}\n{self.records.fingerprint()}".encode()).hexdigest()[:16]

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Any]]:
        """Yield augmented images and their targets for each index tensor `[b]`.

        The augmentation of an image depends on `seed` and the number of its record only.

        Yields:
            Normalised images `[b, c, h, w]`, float32, and targets: a tensor whose first dimension
            is b if each target is a tensor, else a list of b targets; on the device.

        Raises:
            DataError: An image or annotation cannot be read, or images differ in size.
        """
        numbers = [[self.indices[place] for place in index.tolist()] for index in indices]
        for groups in self._read(numbers, seed):
            if len(groups) > 1:
                raise DataError(
                    f"images for training must have one size, got {list(groups[0][0].shape[2:])} "
                    f"and {list(groups[1][0].shape[2:])}"
                )
            yield self._prepared(*groups[0])

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Any]]:
        """Yield all images and targets in order, without augmentation; see `pieces`.

        Images of different sizes are yielded in batches of their own.
        """
        starts = range(0, len(self), batch_size)
        numbers = [[*self.indices[start : start + batch_size]] for start in starts]
        for groups in self._read(numbers):
            for group in groups:
                yield self._prepared(*group)

    def _read(
        self, numbers: list[list[int]], seed: int | None = None
    ) -> Iterator[list[tuple[Tensor, Any]]]:
        reader = _Reader(self.records, seed)
        for groups in read_batches(
            reader, numbers, workers=self.workers, device=self.device, collate=_grouped
        ):
            if isinstance(groups, DataError):
                raise groups
            yield groups

    def _prepared(self, images: Tensor, targets: Any) -> tuple[Tensor, Any]:
        images = images.to(self.device, non_blocking=self.device.type == "cuda")
        return normalise(images, *self.statistics()), _moved(targets, self.device)


class _Reader(Dataset[Any]):
    """A data set of images with targets; for one that cannot be read, the error.

    The error is returned because `DataLoader` adds a worker's traceback to errors that are raised.
    """

    def __init__(self, records: Records, seed: int | None) -> None:
        self._records, self._seed = records, seed

    def __getitem__(self, number: int) -> tuple[Tensor, Any] | DataError:
        try:
            if self._seed is None:
                return self._records.read(number, augment=False)
            with keyed_randomness(self._seed, number):
                return self._records.read(number, augment=True)
        except DataError as error:
            return error


def _grouped(items: list[tuple[Tensor, Any] | DataError]) -> list[tuple[Tensor, Any]] | DataError:
    """Put items together, consecutive ones of one size at a time; return the first error if any."""
    read = []
    for item in items:
        if isinstance(item, DataError):
            return item
        read.append(item)
    groups = []
    for _, group in groupby(read, key=_sizes):
        images, targets = zip(*group, strict=True)
        together = torch.stack(targets) if isinstance(targets[0], Tensor) else list(targets)
        groups.append((torch.stack(images), together))
    return groups


def _sizes(item: tuple[Tensor, Any]) -> tuple[torch.Size, torch.Size | None]:
    image, target = item
    return image.shape, target.shape if isinstance(target, Tensor) else None


def _moved(value: Any, device: torch.device) -> Any:
    """Return a target with its tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=device.type == "cuda")
    if isinstance(value, dict):
        return {name: _moved(of, device) for name, of in value.items()}
    if isinstance(value, list):
        return [_moved(of, device) for of in value]
    return value
