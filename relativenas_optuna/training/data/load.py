"""Load images by name (digits, CIFAR-10, CIFAR-100), from a folder or from a data set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torchvision.datasets import CIFAR10, CIFAR100

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna._utils.locks import locked
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.dataset import MapDataset, images_of
from relativenas_optuna.training.data.folder import read_images
from relativenas_optuna.training.data.image_parts import list_part
from relativenas_optuna.training.data.images import Images, channel_statistics
from relativenas_optuna.training.data.statistics import STATISTICS, Statistics

__all__ = ["DATA_SETS", "DataError", "Images", "as_images", "load_images"]

# The digits have no test set of their own. Neighbours are often by the same writer, so the test
# images are the last ones in file order, not random ones.
_TRAINING_DIGITS = 1500
_PATIENCE = 3600.0  # seconds to wait for another process that downloads


def as_images(data: Images | MapDataset | str | Path, *, like: Images | None = None) -> Images:
    """Return images from any kind of source.

    Args:
        data: Images; or a name or folder for `load_images`; or a data set for `images_of`.
        like: Training images whose classes, mean and std a data set for validation takes; see
            `images_of`.

    Raises:
        DataError: The images are missing or cannot be used.
    """
    if isinstance(data, Images):
        return data
    if isinstance(data, str | Path):
        return load_images(data)
    return images_of(data, like=like)


def load_images(
    source: str | Path,
    *,
    root: str | Path = "data",
    train: bool = True,
    size: int | None = None,
    download: bool = False,
) -> Images:
    """Load a data set into memory.

    Args:
        source: "digits" (1,797 grey images of 8x8 pixels from scikit-learn; the last 297 are the
            test images), "cifar10", "cifar100", or a folder with a sub-folder of images for each
            class. A folder with sub-folders `train` and `test` (or `val`), each with class
            folders, has training and test images; otherwise all images are training images. The
            rules are in docs/image_folders.md.
        root: Folder in which torchvision keeps its data sets.
        train: True for the training images, False for the test images.
        size: Side in pixels to which images are resized. None leaves them as they are; the images
            of a folder must then have one size.
        download: True to let torchvision download a data set that is not in `root`.

    Returns:
        Images on the CPU. Mean and std are those of the training images, also for the test
        images; for CIFAR they are the constants of the paper.

    Raises:
        DataError: The data set is missing or cannot be used.
        ValueError: `size` is out of range.
    """
    if size is not None and not 1 <= size <= MOST["size"]:
        raise ValueError(f"size must be 1 to {MOST['size']} pixels, got {size}")
    if isinstance(source, str) and source in DATA_SETS:
        images = DATA_SETS[source](Path(root), train, download)
        return images if size is None else _resized(images, size)
    folder = Path(source)
    if isinstance(source, str) and not folder.exists() and folder.name == source:
        raise DataError(
            f"data must be one of {', '.join(DATA_SETS)} or a folder of images, got {source!r}"
        )
    return _folder(folder, train, size)


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


def _folder(folder: Path, train: bool, size: int | None) -> Images:
    listed, training = list_part(folder, train)
    images = read_images(listed.paths, size)
    mean, std = channel_statistics(images if train else read_images(training.paths, size))
    return Images(images=images, labels=listed.labels, classes=listed.classes, mean=mean, std=std)


def _resized(data: Images, size: int) -> Images:
    images = functional.interpolate(data.images, size=(size, size), mode="bilinear", antialias=True)
    return replace(data, images=images)


#: Functions (root, train, download) -> images, by the names of the data sets.
DATA_SETS: dict[str, Callable[[Path, bool, bool], Images]] = {
    "digits": _digits,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
}
