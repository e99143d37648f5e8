"""A set of labelled images as two tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.io.description import check_classes


@dataclass(frozen=True, eq=False, kw_only=True)
class Images:
    """Labelled images in the memory of one device.

    Args:
        images: Images, uint8 or float32, `[n, c, h, w]`.
        labels: Labels, int64, `[n]`, each the index of one of `classes`.
        classes: Names of the classes.
        mean: Mean of each channel; in units of [0, 1] for uint8 images (255 is 1), in the units
            of the images if they are float32.
        std: Standard deviation of each channel, above 0, in the units of `mean`.

    Raises:
        DataError: Shapes, types or labels do not fit together.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype not in (torch.uint8, torch.float32) or images.dim() != 4:
            raise DataError(
                "images must be a uint8 or float32 tensor [n, c, h, w], "
                f"got {images.dtype} {list(images.shape)}"
            )
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise DataError(
                f"labels must be an int64 tensor [{len(images)}], one for each image, "
                f"got {labels.dtype} {list(labels.shape)}"
            )
        channels = images.shape[1]
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
        """Device of the images and labels."""
        return self.images.device

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def to(self, device: torch.device | str) -> Images:
        """Return the same images on `device`."""
        return dataclasses.replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and std for `normalise`, as float32 tensors `[c]` on the images' device.

        They are scaled so that `(value / 255 - mean) / std` normalises both uint8 and float32.
        """
        unit = 255 if self.images.is_floating_point() else 1
        return (
            torch.tensor(self.mean, dtype=torch.float32, device=self.device) / unit,
            torch.tensor(self.std, dtype=torch.float32, device=self.device) / unit,
        )

    def subset(self, indices: Tensor | Sequence[int]) -> Images:
        """Return the images at `indices`, in that order, with the mean and std of this set."""
        index = torch.as_tensor(indices, dtype=torch.int64, device=self.device)
        return dataclasses.replace(
            self,
            images=self.images.index_select(0, index),
            labels=self.labels.index_select(0, index),
        )

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels at each of `indices`; `seed` has no effect in memory."""
        for index in indices:
            yield self.images.index_select(0, index), self.labels.index_select(0, index)

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images and labels in order, `batch_size` at a time."""
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            yield self.images[part], self.labels[part]

    def split(self, fraction: float = 0.5, *, seed: int) -> tuple[Images, Images]:
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
    """Return the indices of both parts of `Images.split`, on the CPU and in ascending order."""
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


def require_pair(training: Images, validation: Images) -> None:
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
    shapes = [tuple(images.images.shape[1:]) for images in (training, validation)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"validation images must have the shape of the training images, {shapes[0]}; got "
            f"{shapes[1]}"
        )
    if len(training.classes) < 2:
        raise DataError(
            f"images must be of at least 2 classes, all are of class {training.classes[0]!r}"
        )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of every channel, in the units of `Images.mean`.

    Args:
        images: uint8 or float32 images, `[n, c, h, w]`, n at least 1.

    Returns:
        Mean and std. The std is never 0: for uint8 images it is at least one grey level (1/255);
        for float32 images whose values are all equal it is 1.
    """
    of_channel = _statistics_of_floats if images.is_floating_point() else _statistics_of_bytes
    means, stds = zip(*map(of_channel, images.unbind(1)), strict=True)
    return means, stds


def _statistics_of_bytes(channel: Tensor) -> tuple[float, float]:
    levels = np.arange(256, dtype=np.float64) / 255
    # A histogram is exact and needs no float copy of the images.
    share = torch.bincount(channel.reshape(-1), minlength=256).cpu().numpy() / channel.numel()
    mean = float(share @ levels)
    return mean, max(float(share @ (levels - mean) ** 2) ** 0.5, 1 / 255)


def _statistics_of_floats(channel: Tensor) -> tuple[float, float]:
    values = channel.cpu().double()
    std, mean = torch.std_mean(values, correction=0)
    return float(mean), float(std) if values.min() < values.max() else 1.0
