"""Images that are read from a folder while training: all of ImageNet fits no memory."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from relativenas_optuna.training.data.folder import unreadable_among
from relativenas_optuna.training.data.image_file import UnreadableImages, open_image
from relativenas_optuna.training.data.image_parts import list_part
from relativenas_optuna.training.data.images import split_indices
from relativenas_optuna.training.data.statistics import STATISTICS

_CPU = torch.device("cpu")
_MARGIN = 256 / 224
"""How much larger the shorter side of an image is before its centre is cropped."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedImages:
    """Labelled images in files, a `Source` that reads them anew in every epoch.

    To train on, an image is cropped to a random part of 8 to 100 % of its area and brought to
    its size; to be scored, its centre is cropped from an image that is 256/224 times as large.

    Args:
        paths: Of the files.
        labels: int64, `[n]`, each the index of one of `classes`.
        classes: Names of the classes.
        size: Side in pixels that images are brought to.
        flip: Whether they are mirrored at random to train on.
        color_jitter: How far brightness, contrast and saturation go up and down to train on.
        workers: Processes that read ahead; 0: this one reads. Images are the same either way.
        device: Where batches come to.
        mean: Per channel, in units of [0, 1].
        std: Per channel, in the same units, above 0.
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
        """The same images, that come to `device`."""
        return replace(self, device=torch.device(device))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The mean and the std as float32 tensors `[3]` on the device."""
        mean, std = (
            torch.tensor(of, dtype=torch.float32, device=self.device)
            for of in (self.mean, self.std)
        )
        return mean, std

    def subset(self, indices: Tensor | Sequence[int]) -> StreamedImages:
        """The images at `indices`, in their order."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        paths = [self.paths[number] for number in index.tolist()]
        return replace(self, paths=paths, labels=self.labels[index])

    def split(self, fraction: float = 0.5, *, seed: int) -> tuple[StreamedImages, StreamedImages]:
        """See `Images.split`."""
        chosen, rest = split_indices(self.labels, self.classes, fraction, seed=seed)
        return self.subset(chosen), self.subset(rest)

    def pieces(self, indices: Iterable[Tensor], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Source.pieces`."""
        jitter = (v2.ColorJitter(*[self.color_jitter] * 3),) if self.color_jitter else ()
        flip = (v2.RandomHorizontalFlip(),) if self.flip else ()
        transform = v2.Compose([v2.RandomResizedCrop(self.size), *flip, *jitter])
        return self._read(_Files(self.paths, transform, seed), [i.tolist() for i in indices])

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Source.batches`."""
        larger = round(_MARGIN * self.size)
        transform = v2.Compose([v2.Resize(larger), v2.CenterCrop(self.size)])
        starts = range(0, len(self), batch_size)
        indices = [[*range(start, min(start + batch_size, len(self)))] for start in starts]
        return self._read(_Files(self.paths, transform, None), indices)

    def _read(self, files: _Files, indices: list[list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        pinned = self.device.type == "cuda"
        loader = DataLoader(
            files,
            batch_sampler=indices,
            num_workers=self.workers,
            collate_fn=_together,
            pin_memory=pinned,
            worker_init_fn=_ignore_interrupts,
            generator=torch.Generator(),  # it would move torch's global stream on
        )
        for index, read in zip(indices, loader, strict=True):
            if isinstance(read, UnreadableImages):
                raise unreadable_among(self.paths, read)
            images = read.to(self.device, non_blocking=pinned)
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
    """The images of a folder with one sub-folder per class, unread.

    Args:
        folder: As for `load_images`.
        size: See `StreamedImages`, as for those not named here.
        train: The training images, or else the test images.
        workers: None: as many as there are processors, and 8 at most.
        flip: See `StreamedImages`.
        color_jitter: See `StreamedImages`.

    Raises:
        DataError: The folder is missing, or is no such folder.
    """
    listed, _ = list_part(Path(folder), train)
    return StreamedImages(
        paths=listed.paths,
        labels=listed.labels,
        classes=listed.classes,
        size=size,
        flip=flip,
        color_jitter=color_jitter,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )


class _Files(Dataset[Tensor | UnreadableImages]):
    """Images as `[3, h, w]`, uint8; the error of one that cannot be read.

    If it were raised, it would come out of a worker with the worker's traceback in its message.
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
        with torch.random.fork_rng(devices=[]):
            words = np.random.SeedSequence([self._seed, index]).generate_state(1, np.uint64)
            torch.default_generator.manual_seed(int(words[0]))
            return self._transformed(image)

    def _transformed(self, image: Image.Image) -> Tensor:
        tensor: Tensor = v2.functional.pil_to_tensor(self._transform(image))
        return tensor


def _together(images: list[Tensor | UnreadableImages]) -> Tensor | UnreadableImages:
    unread = [image for image in images if isinstance(image, UnreadableImages)]
    return unread[0] if unread else torch.stack([p for p in images if isinstance(p, Tensor)])


def _ignore_interrupts(_worker: int) -> None:
    # Ctrl-C reaches the whole group; the process that trains ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # see `read_images`
