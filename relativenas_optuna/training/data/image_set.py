"""What all sets of labelled images of one size share, wherever their pixels are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.io.description import check_classes


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet(ABC):
    """Labelled images of one size: `Images` in memory, or `FileImages` in a file.

    Args:
        labels: Labels, int64, `[n]`, each the index of one of `classes`, on the device of the
            batches.
        classes: Names of the classes.
        mean: Mean of each channel; in units of [0, 1] for uint8 images (255 is 1), in the units
            of the images if they are float32.
        std: Standard deviation of each channel, above 0, in the units of `mean`.

    Raises:
        DataError: Shapes, types or labels do not fit together.
    """

    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        labels, count, channels = self.labels, self._count(), self.shape[0]
        if labels.dtype != torch.int64 or labels.shape != (count,):
            raise DataError(
                f"labels must be an int64 tensor [{count}], one for each image, "
                f"got {labels.dtype} {list(labels.shape)}"
            )
        if len(self.mean) != channels or len(self.std) != channels or min(self.std) <= 0:
            raise DataError(
                f"mean and std must each have {channels} numbers, one for each channel, and std "
                f"must be above 0; got {self.mean} and {self.std}"
            )
        try:
            check_classes(self.classes)
        except ValueError as error:
            raise DataError(str(error)) from None
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
            raise DataError(
                f"labels must be in 0..{len(self.classes) - 1} for {len(self.classes)} classes, "
                f"got {int(labels.min())}..{int(labels.max())}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Device of the labels, and of the images in batches."""
        return self.labels.device

    if TYPE_CHECKING:  # a field of one subclass, and a property of the other

        @property
        def images(self) -> Tensor:
            """All images, `[n, c, h, w]`, in the memory of the device."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Type of the images, uint8 or float32."""

    @abstractmethod
    def at(self, index: Tensor) -> Tensor:
        """Return the images at the indices `index`, `[b, c, h, w]`, on the device."""

    @abstractmethod
    def subset(self, indices: Tensor | Sequence[int]) -> Self:
        """Return the images at `indices`, in that order, with the mean and std of this set."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Return the same images with batches on `device`."""

    @abstractmethod
    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels at each of `indices`; `seed` has no effect."""

    @abstractmethod
    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images and labels in order, `batch_size` at a time."""

    @abstractmethod
    def _count(self) -> int:
        """Return the number of images, which that of the labels has to equal."""

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and std for `normalise`, as float32 tensors `[c]` on the device.

        They are scaled so that `(value / 255 - mean) / std` normalises both uint8 and float32.
        """
        unit = 255 if self.dtype.is_floating_point else 1
        mean, std = (
            torch.tensor(of, dtype=torch.float32, device=self.device) / unit
            for of in (self.mean, self.std)
        )
        return mean, std

    def split(self, fraction: float = 0.5, *, seed: int) -> tuple[Self, Self]:
        """Split the images at random, class by class, into training and validation images.

        Every image is in exactly one part, and each part has images of every class. The same seed
        gives the same parts on every device.

        Args:
            fraction: Share of the training part, above 0 and below 1; exact to within one image
                in every class.
            seed: Seed of the random split, at least 0.

        Raises:
            DataError: A class has fewer than two images.
            ValueError: `fraction` or `seed` is out of range.
        """
        chosen, rest = split_indices(self.labels, self.classes, fraction, seed=seed)
        return self.subset(chosen), self.subset(rest)


def split_indices(
    labels: Tensor, classes: Sequence[str], fraction: float, *, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the indices of both parts of `ImageSet.split`, on the CPU and in ascending order."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be above 0 and below 1, got {fraction}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    of_image = labels.cpu().numpy()
    counts = np.bincount(of_image, minlength=len(classes))
    if counts.min(initial=2) < 2:
        name = classes[int(counts.argmin())]
        raise DataError(
            "every class needs at least 2 images to be split into training and validation, "
            f"class {name!r} has {counts.min()}"
        )
    # Rounding the running total, not each class, keeps the whole at the fraction too.
    ends = np.floor(fraction * counts.cumsum() + 0.5).astype(np.int64)
    shares = np.clip(np.diff(ends, prepend=0), 1, counts - 1)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(of_image), dtype=np.bool_)
    for label, share in enumerate(shares):
        members = np.flatnonzero(of_image == label)
        chosen[rng.permutation(members)[:share]] = True
    return torch.from_numpy(np.flatnonzero(chosen)), torch.from_numpy(np.flatnonzero(~chosen))


def require_classes(labels: Sequence[int], classes: Sequence[str] | None = None) -> None:
    """Raise if fewer than two classes have images.

    Args:
        labels: Labels of all images.
        classes: Names of the classes, for the message; None names them by their numbers.

    Raises:
        DataError: Fewer than two classes have images.
    """
    if len(set(labels)) < 2:
        only = classes[labels[0]] if classes and labels else str(*labels[:1])
        found = f"all {len(labels)} are of class {only!r}" if labels else "got none"
        raise DataError(f"images must be of at least 2 classes, {found}")


def require_pair(training: ImageSet, validation: ImageSet) -> None:
    """Raise if a search cannot use these training and validation images.

    Raises:
        DataError: There are too few images, there is only one class, or the two sets have
            different classes or shapes.
    """
    if len(training) < 2 or len(validation) < 1:
        raise DataError(
            f"a search needs at least 2 images to train on and 1 to score with; got "
            f"{len(training)} and {len(validation)}"
        )
    if training.classes != validation.classes:
        raise DataError(
            f"validation images must have the classes of the training images "
            f"({', '.join(training.classes)}), got {', '.join(validation.classes)}"
        )
    if training.shape != validation.shape:
        raise DataError(
            f"validation images must have the shape of the training images, {training.shape}; got "
            f"{validation.shape}"
        )
    if len(training.classes) < 2:
        raise DataError(
            f"images must be of at least 2 classes, all are of class {training.classes[0]!r}"
        )
