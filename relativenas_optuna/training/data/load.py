"""Load images by name (digits, CIFAR-10, CIFAR-100), from a folder or from a data set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from torch.nn import functional
from torchvision.datasets import CIFAR10, CIFAR100

from relativenas_optuna._utils.locks import locked
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.channel_statistics import channel_statistics
from relativenas_optuna.training.data.data_names import HUB, is_folder, is_shards
from relativenas_optuna.training.data.dataset import images_of
from relativenas_optuna.training.data.dataset_items import AnyDataset
from relativenas_optuna.training.data.file_images import FileImages, labelled
from relativenas_optuna.training.data.hub import has_hub_test, list_hub
from relativenas_optuna.training.data.image_files import FolderFiles, LabelledFiles
from relativenas_optuna.training.data.image_parts import has_part, list_part
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.data.read_files import check_size, read_files
from relativenas_optuna.training.data.shards import list_shards
from relativenas_optuna.training.data.statistics import STATISTICS, Statistics

__all__ = ["DATA_SETS", "DataError", "Images", "as_images", "load_images"]

# The digits have no test set of their own. Neighbours are often by the same writer, so the test
# images are the last ones in file order, not random ones.
_TRAINING_DIGITS = 1500
_PATIENCE = 3600.0  # seconds to wait for another process that downloads


def as_images(
    data: ImageSet | AnyDataset | str | Path, *, like: ImageSet | None = None
) -> ImageSet:
    """Return images from any kind of source.

    Args:
        data: Images; or a name or folder for `load_images`; or a data set for `images_of`.
        like: Training images whose classes, mean and std a data set for validation takes; see
            `images_of`.

    Raises:
        DataError: The images are missing or cannot be used.
    """
    if isinstance(data, ImageSet):
        return data
    if isinstance(data, str | Path):
        return load_images(data)
    return images_of(data, like=like)


@overload
def load_images(
    source: Literal["digits", "cifar10", "cifar100"],
    *,
    root: str | Path = ...,
    train: bool = ...,
    size: int | None = ...,
    download: bool = ...,
    in_memory: bool | None = ...,
) -> Images: ...


@overload
def load_images(
    source: str | Path,
    *,
    root: str | Path = ...,
    train: bool = ...,
    size: int | None = ...,
    download: bool = ...,
    in_memory: bool | None = ...,
) -> Images | FileImages: ...


def load_images(
    source: str | Path,
    *,
    root: str | Path = "data",
    train: bool = True,
    size: int | None = None,
    download: bool = False,
    in_memory: bool | None = None,
) -> Images | FileImages:
    """Load a data set into memory, or into a file if it does not fit there.

    Args:
        source: "digits" (1,797 grey images of 8x8 pixels from scikit-learn; the last 297 are the
            test images), "cifar10", "cifar100", or a folder with a sub-folder of images for each
            class. A folder with sub-folders `train` and `test` (or `val`), each with class
            folders, has training and test images; otherwise all images are training images. The
            rules are in docs/image_folders.md. "hf:NAME" loads a data set by the library
            `datasets`, and "shards-{000..003}.tar" reads tar files of webdataset; see
            docs/image_sources.md.
        root: Folder in which torchvision keeps its data sets.
        train: True for the training images, False for the test images.
        size: Side in pixels to which images are resized. None leaves images of one size as they
            are; images of different sizes are resized to the median of their shorter sides, at
            most 64 pixels.
        download: True to let torchvision download a data set that is not in `root`.
        in_memory: True to keep the images in memory, False to keep those that come from files in
            one file of pixels (docs/image_sources.md); None takes a file if they do not fit in
            memory.

    Returns:
        Images with batches on the CPU. Mean and std are those of the training images, also for the
        test images; for CIFAR they are the constants of the paper.

    Raises:
        DataError: The data set is missing or cannot be used.
        ValueError: `size` is out of range.
    """
    check_size(size)
    if isinstance(source, str) and source in DATA_SETS:
        images = DATA_SETS[source](Path(root), train, download)
        return images if size is None else _resized(images, size)
    text = str(source)
    if isinstance(source, str) and is_folder(text) and Path(text).name == text:
        _require_folder(text)
    listed = list_files(text, train)
    training = listed if train else list_files(text, True)
    found = read_files(training.files, size, in_memory=in_memory)
    mean, std = found.statistics()
    if not train:
        found = read_files(listed.files, found.size, in_memory=in_memory, equal=True)
    return labelled(found.pixels, listed.labels, listed.classes, mean, std)


def list_files(source: str, train: bool) -> LabelledFiles:
    """List the image files of one part of a data set that has no name of its own.

    Args:
        source: Folder, tar files or data set of Hugging Face; see `load_images`.
        train: True for the training images, False for the test images.

    Raises:
        DataError: The data set is missing, has no such part, or cannot be used.
    """
    if source.startswith(HUB):
        return list_hub(source, train)
    if is_shards(source):
        if not train:
            raise DataError(
                f"data {source!r} has no test images, since all images in tar files are training "
                f"images"
            )
        return list_shards(source)
    listed, _ = list_part(Path(source), train)
    part = "train" if train else "test"
    files = FolderFiles(str(Path(source).absolute()), listed.paths, part=part)
    return LabelledFiles(files, listed.labels, listed.classes)


def has_test_images(source: str) -> bool:
    """Return True if a data set has test images.

    Raises:
        DataError: A data set of Hugging Face cannot be loaded.
    """
    if source in DATA_SETS:
        return True
    if source.startswith(HUB):
        return has_hub_test(source)
    return not is_shards(source) and has_part(Path(source), False)


def _require_folder(name: str) -> None:
    if not Path(name).exists():
        raise DataError(
            f"data must be one of {', '.join(DATA_SETS)}, a folder of images, tar files or "
            f"{HUB}NAME, got {name!r}"
        )


def _digits(root: Path, train: bool, download: bool) -> Images:
    # scikit-learn takes a second to import, and only the digits need it.
    from sklearn.datasets import load_digits

    digits = load_digits()
    # 0..16 -> 0..255
    images = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(digits.target.astype(np.int64))
    mean, std = channel_statistics(images[:_TRAINING_DIGITS])
    part = slice(_TRAINING_DIGITS) if train else slice(_TRAINING_DIGITS, None)
    return Images(
        images=images[part],
        labels=labels[part],
        classes=tuple(str(name) for name in digits.target_names),
        mean=mean,
        std=std,
    )


def _cifar10(root: Path, train: bool, download: bool) -> Images:
    return _cifar(CIFAR10, STATISTICS["cifar10"], root, train, download)


def _cifar100(root: Path, train: bool, download: bool) -> Images:
    return _cifar(CIFAR100, STATISTICS["cifar100"], root, train, download)


def _cifar(
    kind: type[CIFAR10], statistics: Statistics, root: Path, train: bool, download: bool
) -> Images:
    try:
        data_set = _fetched(kind, root, train) if download else kind(root=root, train=train)
    except (OSError, RuntimeError) as error:
        folder = str(root / kind.base_folder)
        if download:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{kind.__name__} could not be downloaded to {folder!r}: {reason}; "
                f"download {kind.url} and unpack it in {str(root)!r}"
            ) from error
        raise DataError(
            f"{kind.__name__} is missing or incomplete in {folder!r}; download it by "
            f"load_images({kind.__name__.lower()!r}, root={str(root)!r}, "
            f"download=True), or unpack {kind.url} there"
        ) from error
    return Images(
        images=torch.from_numpy(data_set.data).permute(0, 3, 1, 2).contiguous(),
        labels=torch.tensor(data_set.targets, dtype=torch.int64),
        classes=tuple(data_set.classes),
        mean=statistics.mean,
        std=statistics.std,
    )


def _fetched(kind: type[CIFAR10], root: Path, train: bool) -> CIFAR10:
    """Return a data set; download it if it is missing, in one process at a time."""
    with suppress(RuntimeError):
        return kind(root=root, train=train)
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f".{kind.base_folder}.lock", timeout=_PATIENCE):
        return kind(root=root, train=train, download=True)


def _resized(data: Images, size: int) -> Images:
    images = functional.interpolate(data.images, size=(size, size), mode="bilinear", antialias=True)
    return replace(data, images=images)


#: Functions (root, train, download) -> images, by the names of the data sets.
DATA_SETS: dict[str, Callable[[Path, bool, bool], Images]] = {
    "digits": _digits,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
}
