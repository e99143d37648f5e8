"""A set of labelled images whose pixels are read from one file, batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relativenas_optuna._utils.memory import shortage
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.data.in_order import in_order
from relativenas_optuna.training.data.pixel_file import PixelFile

_AHEAD = 3
"""Number of batches that are read while the network works on one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FileImages(ImageSet):
    """Labelled images in a file of pixels, for data sets that do not fit in memory.

    Batches are the same, to the last bit, as those of `Images`. A part of the images (`subset`,
    `split`) reads from the same file. A thread reads a few batches ahead.

    Args:
        pixels: File of the pixels.
        rows: Position of each image in the file, int64, `[n]`.
        labels: Labels, int64, `[n]`, each the index of one of `classes`, on the device of the
            batches.
        classes: Names of the classes.
        mean: Mean of each channel, as for `Images`.
        std: Standard deviation of each channel, as for `Images`.

    Raises:
        DataError: Shapes, types or labels do not fit together.
    """

    pixels: PixelFile
    rows: npt.NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.pixels.shape[1:]

    @property
    def dtype(self) -> torch.dtype:
        """Type of the images, uint8 or float32."""
        return torch.uint8 if self.pixels.dtype == np.uint8 else torch.float32

    @property
    def images(self) -> Tensor:
        """All images, `[n, c, h, w]`, read into the memory of the device.

        Raises:
            DataError: They do not fit in memory.
        """
        if (short := shortage(len(self) * self.pixels.image_bytes)) is not None:
            raise DataError(
                f"{len(self):,} images in one tensor need {short}: read them by `batches`"
            )
        return self._read(self.rows).to(self.device)

    def _count(self) -> int:
        return len(self.rows)

    def at(self, index: Tensor) -> Tensor:
        """Return the images at the indices `index`, `[b, c, h, w]`, on the device."""
        return self._read(self.rows[index.cpu().numpy()]).to(self.device)

    def to(self, device: torch.device | str) -> Self:
        """Return the same images with batches on `device`; the pixels stay in the file."""
        return dataclasses.replace(self, labels=self.labels.to(device))

    def subset(self, indices: Tensor | Sequence[int]) -> Self:
        """Return the images at `indices`, in that order, with the mean and std of this set."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        return dataclasses.replace(
            self,
            rows=self.rows[index.cpu().numpy()],
            labels=self.labels.index_select(0, index.to(self.device)),
        )

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels at each of `indices`; `seed` has no effect."""
        parts = list(indices)
        if not parts:
            return
        # One copy from a GPU instead of one for each part, for which the GPU would be waited for.
        whole = torch.split(torch.cat(parts).cpu(), [len(part) for part in parts])
        rows = (self.rows[part.numpy()] for part in whole)
        for part, images in zip(parts, self._read_ahead(rows), strict=True):
            yield images, self.labels.index_select(0, part)

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images and labels in order, `batch_size` at a time."""
        starts = range(0, len(self), batch_size)
        parts = [slice(start, start + batch_size) for start in starts]
        images = self._read_ahead(self.rows[part] for part in parts)
        for part, batch in zip(parts, images, strict=True):
            yield batch, self.labels[part]

    def _read_ahead(self, rows: Iterable[npt.NDArray[np.int64]]) -> Iterator[Tensor]:
        """Yield the images at each of `rows` on the device."""
        for images in in_order(self._read, rows, threads=1, ahead=_AHEAD):
            yield images.to(self.device, non_blocking=True)

    def _read(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Return images in the memory of the CPU, pinned if batches go to a GPU."""
        pinned = self.device.type == "cuda"
        images = torch.empty((len(rows), *self.shape), dtype=self.dtype, pin_memory=pinned)
        self.pixels.read(rows, images.numpy())
        return images


def labelled(
    pixels: Tensor | PixelFile,
    labels: Tensor,
    classes: tuple[str, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Images | FileImages:
    """Return the set of images of these pixels; for the arguments see `Images`.

    Raises:
        DataError: Shapes, types or labels do not fit together.
    """
    if isinstance(pixels, Tensor):
        return Images(images=pixels, labels=labels, classes=classes, mean=mean, std=std)
    rows = np.arange(len(pixels))
    return FileImages(pixels=pixels, rows=rows, labels=labels, classes=classes, mean=mean, std=std)
