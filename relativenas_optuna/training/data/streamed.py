"""Read images from files while training, for data sets that do not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.training.data.file_batches import keyed_randomness, read_batches
from relativenas_optuna.training.data.image_file import UnreadableImages, open_image
from relativenas_optuna.training.data.image_parts import list_part
from relativenas_optuna.training.data.image_set import split_indices
from relativenas_optuna.training.data.read_files import unreadable_among
from relativenas_optuna.training.data.statistics import STATISTICS

_CPU = torch.device("cpu")
_MARGIN = 256 / 224
"""Length of the shorter side before the centre crop, as a multiple of the side of the crop."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedImages:
    """Labelled images in files, which are read anew in every epoch.

    For training, a random crop of 8 to 100 % of the area is resized to `size`. For evaluation, the
    shorter side is resized to 256/224 of `size`, and the centre is cropped.

    Args:
        paths: Paths of the files.
        labels: Labels, int64, `[n]`, each the index of one of `classes`.
        classes: Names of the classes.
        size: Side in pixels of the images that are yielded.
        flip: True to mirror images at random for training.
        color_jitter: Largest relative change of brightness, contrast and saturation for training,
            0 to 1.
        workers: Processes that read ahead; 0 reads in this process. The images do not depend on it.
        device: Device of the batches.
        mean: Mean of each channel, in units of [0, 1].
        std: Standard deviation of each channel, above 0, in the same units.
    """

    paths: Sequence[str]
    labels: Tensor
    classes: tuple[str, ...]
    size: int
    flip: bool = True
    color_jitter: float = 0.0
    workers: int = 0
    device: torch.device = _CPU
    mean: tuple[float, ...] = STATISTICS["imagenet"].mean
    std: tuple[float, ...] = STATISTICS["imagenet"].std

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return 3, self.size, self.size

    def to(self, device: torch.device | str) -> StreamedImages:
        """Return the same images with batches on `device`."""
        return replace(self, device=torch.device(device))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and std as float32 tensors `[3]` on the device."""
        mean, std = (
            torch.tensor(of, dtype=torch.float32, device=self.device)
            for of in (self.mean, self.std)
        )
        return mean, std

    def subset(self, indices: Tensor | Sequence[int]) -> StreamedImages:
        """Return the images at `indices`, in that order."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        paths = [self.paths[number] for number in index.tolist()]
        return replace(self, paths=paths, labels=self.labels[index])

    def split(self, fraction: float = 0.5, *, seed: int) -> tuple[StreamedImages, StreamedImages]:
        """Split the images into training and validation images, as `ImageSet.split` does."""
        chosen, rest = split_indices(self.labels, self.classes, fraction, seed=seed)
        return self.subset(chosen), self.subset(rest)

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield augmented images and labels for each of the index tensors; see `Source`."""
        jitter = (v2.ColorJitter(*[self.color_jitter] * 3),) if self.color_jitter else ()
        flip = (v2.RandomHorizontalFlip(),) if self.flip else ()
        transform = v2.Compose([v2.RandomResizedCrop(self.size), *flip, *jitter])
        return self._read(_Files(self.paths, transform, seed), [i.tolist() for i in indices])

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all images, centre-cropped, and labels in order; see `Source`."""
        larger = round(_MARGIN * self.size)
        transform = v2.Compose([v2.Resize(larger), v2.CenterCrop(self.size)])
        starts = range(0, len(self), batch_size)
        indices = [[*range(start, min(start + batch_size, len(self)))] for start in starts]
        return self._read(_Files(self.paths, transform, None), indices)

    def _read(self, files: _Files, indices: list[list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        batches = read_batches(
            files, indices, workers=self.workers, device=self.device, collate=_together
        )
        for index, read in zip(indices, batches, strict=True):
            if isinstance(read, UnreadableImages):
                raise unreadable_among(self.paths, read)
            images = read.to(self.device, non_blocking=self.device.type == "cuda")
            yield images, self.labels[index].to(self.device)


def stream_folder(
    folder: str | Path,
    *,
    size: int,
    train: bool = True,
    workers: int | None = None,
    flip: bool = True,
    color_jitter: float = 0.0,
) -> StreamedImages:
    """Return the images of a folder with one sub-folder per class, without reading them.

    Args:
        folder: Folder with one sub-folder per class, or with a training and a test part; see
            docs/image_folders.md.
        size: Side in pixels of the images that are yielded.
        train: True for the training images, False for the test images.
        workers: Processes that read ahead; None takes one per processor, at most 8.
        flip: True to mirror images at random for training.
        color_jitter: Largest relative change of brightness, contrast and saturation for training.

    Raises:
        DataError: The folder is missing, or has no such sub-folders.
    """
    listed, _ = list_part(Path(folder), train)
    return StreamedImages(
        paths=listed.paths,
        labels=listed.labels,
        classes=listed.classes,
        size=size,
        flip=flip,
        color_jitter=color_jitter,
        workers=min(8, available_cores()) if workers is None else workers,
    )


class _Files(Dataset[Tensor | UnreadableImages]):
    """A data set of images `[3, h, w]`, uint8; for a file that cannot be read, the error.

    The error is returned because `DataLoader` adds a worker's traceback to errors that are raised.
    """

    def __init__(self, paths: Sequence[str], transform: v2.Transform, seed: int | None) -> None:
        self._paths, self._transform, self._seed = paths, transform, seed

    def __getitem__(self, index: int) -> Tensor | UnreadableImages:
        try:
            image = open_image(self._paths[index])
        except UnreadableImages as error:
            return error
        if self._seed is None:
            return self._transformed(image)
        with keyed_randomness(self._seed, index):
            return self._transformed(image)

    def _transformed(self, image: Image.Image) -> Tensor:
        tensor: Tensor = v2.functional.pil_to_tensor(self._transform(image))
        return tensor


def _together(images: list[Tensor | UnreadableImages]) -> Tensor | UnreadableImages:
    unread = [image for image in images if isinstance(image, UnreadableImages)]
    return unread[0] if unread else torch.stack([p for p in images if isinstance(p, Tensor)])
