"""Read the images of a user's torch data set into memory."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import IterableDataset

from relativenas_optuna._utils.memory import shortage
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.image_file import DEEP_MODES, opaque
from relativenas_optuna.training.data.images import Images, channel_statistics, require_classes

_GREY = ("1", "L", "LA")  # Pillow's modes of one colour, with 8 bits or less
_MOST_CHANNELS = 4  # a first or last dimension of at most this size is taken for the channels
_MOST_UNREADABLE = 1000  # unreadable items after which the check stops
_NAMED = 10  # unreadable items that a message names


@runtime_checkable
class MapDataset(Protocol):
    """A map-style data set: `torch.utils.data.Dataset` with a length, or a list of pairs."""

    def __len__(self) -> int:
        """Return the number of items."""

    def __getitem__(self, index: int, /) -> Any:
        """Return the pair (image, label) at `index`."""


def images_of(
    dataset: MapDataset,
    *,
    classes: Sequence[str] | None = None,
    like: Images | None = None,
) -> Images:
    """Read a whole data set into memory.

    Every item is read once, so leave random transforms out of the data set: the training draws
    crops, flips and cutout anew for every batch.

    Args:
        dataset: Data set of pairs (image, label). An image is a PIL image, a uint8 or
            floating-point array `[h, w]` or `[h, w, c]`, or such a tensor `[h, w]` or `[c, h, w]`.
            All images have the same size and type. A label is a whole number from 0.
        classes: Names of the classes; None takes the attribute `classes` of the data set, or the
            numbers as names if there is none.
        like: Training images whose classes, mean and std are used, if the data set is for
            validation; None computes them from the data set.

    Returns:
        Images on the CPU, uint8 or float32 as in the data set. Mean and std are those of the
        returned images, also if the data set has normalised them.

    Raises:
        DataError: An item cannot be read or is no such pair, images differ in size or type, a
            label has no class, or there are fewer than two classes.
    """
    given: object = dataset
    if not isinstance(given, MapDataset) or isinstance(given, IterableDataset):
        raise DataError(
            f"data must be a map-style data set with __len__ and __getitem__, got "
            f"{type(dataset).__name__}; turn an iterable data set into a list of its items"
        )
    if len(dataset) == 0:
        raise DataError(f"the data set ({type(dataset).__name__}) is empty")
    images: Tensor | None = None
    labels = []
    for number, (image, label) in enumerate(_pairs(dataset)):
        tensor = _tensor(image, number)
        if images is None:
            if (short := shortage(tensor.nbytes * len(dataset))) is not None:
                raise DataError(
                    f"{len(dataset):,} images of {_size(tensor)} need {short}: resize them by "
                    f"torchvision.transforms.Resize((h, w)) in the data set"
                )
            images = tensor.new_empty((len(dataset), *tensor.shape))
        _require_alike(images[0], tensor, number)
        images[number] = tensor
        labels.append(_label(label, number))
    assert images is not None
    names = _classes(dataset, labels, like.classes if classes is None and like else classes)
    if like is None:
        require_classes(labels, names)
        mean, std = channel_statistics(images)
    else:
        _require_alike(like.images[0], images[0], 0, of="of the training images")
        mean, std = like.mean, like.std
    return Images(
        images=images,
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=names,
        mean=mean,
        std=std,
    )


def _pairs(dataset: MapDataset) -> Iterator[tuple[Any, Any]]:
    """Yield all items; after an unreadable one, only look for others to name them all."""
    unreadable: list[tuple[int, str]] = []
    for number in range(len(dataset)):
        try:
            item = dataset[number]
            if isinstance(item, tuple | list) and item and isinstance(item[0], Image.Image):
                item[0].load()  # Pillow reads a file as late as it can
        except MemoryError:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            unreadable.append((number, reason))
            cause = error
            if len(unreadable) == _MOST_UNREADABLE:
                break
            continue
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(
                f"every item of a data set must be a pair (image, label), item {number} is "
                f"{_kind(item)}"
            )
        if not unreadable:
            yield item[0], item[1]
    if unreadable:
        raise _unreadable_items(unreadable) from cause


def _unreadable_items(items: list[tuple[int, str]]) -> DataError:
    if len(items) == 1:
        number, reason = items[0]
        return DataError(f"item {number} of the data set cannot be read: {reason}")
    count = f"{'at least ' if len(items) == _MOST_UNREADABLE else ''}{len(items)}"
    named = ", ".join(f"{number} ({reason})" for number, reason in items[:_NAMED])
    more = ", ..." if len(items) > _NAMED else ""
    return DataError(f"{count} items of the data set cannot be read: {named}{more}")


def _tensor(image: object, number: int) -> Tensor:
    """Return an image as a uint8 or float32 tensor `[c, h, w]`."""
    if isinstance(image, Image.Image):
        if image.mode in DEEP_MODES:
            raise DataError(
                f"image {number} has more than 8 bits a channel (mode {image.mode}); convert "
                f"it to 8 bits or to a float tensor"
            )
        image = opaque(ImageOps.exif_transpose(image))
        image = np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))
    if isinstance(image, np.ndarray) and image.dtype.kind in "uf" and image.ndim in (2, 3):
        if image.ndim == 3 and image.shape[2] > _MOST_CHANNELS >= image.shape[0]:
            raise DataError(
                f"an array must be [h, w, c], image {number} is {list(image.shape)}: give a "
                f"tensor if channels come first"
            )
        # torch.from_numpy takes no read-only or reversed views, no foreign byte order and no
        # long doubles; a copy has none of them.
        kind = np.dtype(np.float32) if image.dtype.kind == "f" else image.dtype
        own = np.array(image, dtype=kind.newbyteorder("="))
        tensor = torch.from_numpy(own if own.ndim == 3 else own[..., None])
        tensor = tensor.permute(2, 0, 1)
    elif isinstance(image, Tensor) and image.dim() in (2, 3):
        tensor = image.detach().cpu()
        if tensor.dim() == 3 and tensor.shape[0] > _MOST_CHANNELS >= tensor.shape[2]:
            raise DataError(
                f"a tensor must be [c, h, w], image {number} is {list(tensor.shape)}: give an "
                f"array, or tensor.permute(2, 0, 1), if channels come last"
            )
        tensor = tensor if tensor.dim() == 3 else tensor[None]
    else:
        raise _no_image(image, number)
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
        if not tensor.isfinite().all():
            raise DataError(f"image {number} has values that are not finite")
    if tensor.dtype not in (torch.uint8, torch.float32) or 0 in tensor.shape:
        raise _no_image(image, number)
    return tensor


def _no_image(image: object, number: int) -> DataError:
    return DataError(
        f"an image must be a PIL image, a uint8 or float array [h, w, c] or a tensor [c, h, w], "
        f"image {number} is {_kind(image)}"
    )


def _require_alike(first: Tensor, tensor: Tensor, number: int, of: str = "of image 0") -> None:
    if tensor.shape[1:] != first.shape[1:]:
        raise DataError(
            f"images must have one size, but that {of} is {_size(first)} and that of image "
            f"{number} is {_size(tensor)}: resize them by torchvision.transforms.Resize((h, w)) in "
            f"the data set"
        )
    if tensor.shape != first.shape or tensor.dtype != first.dtype:
        raise DataError(
            f"images must have one type, but that {of} is {_kind(first)} and that of image "
            f"{number} is {_kind(tensor)}: convert them in the data set"
        )


def _label(label: object, number: int) -> int:
    try:
        value = operator.index(label)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        value = -1
    if value < 0:
        raise DataError(
            f"labels must be whole numbers from 0, the label of item {number} is {_brief(label)}"
        )
    return value


def _classes(dataset: object, labels: list[int], given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the classes; numbers if neither the caller nor the data set has names."""
    highest, different = max(labels), len(set(labels))
    own = getattr(dataset, "classes", None) if given is None else given
    own = own.tolist() if isinstance(own, np.ndarray) else own
    named = isinstance(own, list | tuple) and all(isinstance(name, str) for name in own)
    if given is not None and not named:
        raise DataError(f"classes must be a list of names, got {_brief(given)}")
    if named and own:
        names = tuple(own)
    else:
        require_classes(labels)
        if highest >= 2 * different:
            raise DataError(
                f"labels must be 0 to n - 1 for n classes, got {different} different labels up to "
                f"{highest}: number the classes from 0, or give their names"
            )
        names = tuple(str(label) for label in range(highest + 1))
    if highest >= len(names):
        raise DataError(
            f"labels must be in 0..{len(names) - 1} for {len(names)} classes, the label of item "
            f"{labels.index(highest)} is {highest}"
        )
    return names


def _size(tensor: Tensor) -> str:
    return f"{tensor.shape[2]}x{tensor.shape[1]}"


def _kind(value: object) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} {value.dtype} {list(value.shape)}"
    return type(value).__name__


def _brief(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
