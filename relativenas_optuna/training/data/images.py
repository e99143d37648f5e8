"""A set of labelled images as two tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_set import ImageSet


@dataclass(frozen=True, eq=False, kw_only=True)
class Images(ImageSet):
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

    def __post_init__(self) -> None:
        images = self.images
        if images.dtype not in (torch.uint8, torch.float32) or images.dim() != 4:
            raise DataError(
                "images must be a uint8 or float32 tensor [n, c, h, w], "
                f"got {images.dtype} {list(images.shape)}"
            )
        super().__post_init__()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def dtype(self) -> torch.dtype:
        """Type of the images, uint8 or float32."""
        return self.images.dtype

    def _count(self) -> int:
        return len(self.images)

    def at(self, index: Tensor) -> Tensor:
        """Return the images at the indices `index`, `[b, c, h, w]`, on the device."""
        return self.images.index_select(0, index.to(self.device))

    def to(self, device: torch.device | str) -> Self:
        """Return the same images on `device`."""
        return dataclasses.replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )

    def subset(self, indices: Tensor | Sequence[int]) -> Self:
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
