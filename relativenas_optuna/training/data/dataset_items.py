"""Go through the items of a user's data set, and take images and labels from them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.dataset_item import kind_of

_MOST_UNREADABLE = 1000  # unreadable items after which the check stops
_NAMED = 10  # unreadable items that a message names
_USUAL = ("image", "label")  # keys of the image and the label in an item that is a mapping


@runtime_checkable
class MapDataset(Protocol):
    """A map-style data set: `torch.utils.data.Dataset` with a length, or a list of pairs."""

    def __len__(self) -> int:
        """Return the number of items."""

    def __getitem__(self, index: int, /) -> Any:
        """Return the item at `index`: a pair (image, label), or a mapping with both."""


AnyDataset = MapDataset | Iterable[Any]
"""A data set whose items are numbered, or a stream of items."""


class Pair(NamedTuple):
    """The image and the label of an item, as the data set gives them.

    Attributes:
        image: Image.
        label: Label.
        key: Key of the label in an item that is a mapping; None for a pair.
    """

    image: Any
    label: Any
    key: str | None


def length_of(dataset: AnyDataset) -> int | None:
    """Return the number of items of a map-style data set; None for a stream.

    Raises:
        DataError: It is no data set.
    """
    given: object = dataset
    if isinstance(given, MapDataset) and not isinstance(given, IterableDataset):
        return len(given)
    if isinstance(given, Iterable):
        return None
    raise DataError(
        f"data must be a data set with __len__ and __getitem__, or an iterable one, got "
        f"{type(dataset).__name__}"
    )


def pairs_of(dataset: AnyDataset) -> Iterator[Pair]:
    """Yield image and label of all items.

    After an item that cannot be read, the others are only looked at to name all of these. A stream
    ends at such an item.

    Raises:
        DataError: Items cannot be read, or are no pairs.
    """
    unreadable: list[tuple[int, str]] = []
    cause: Exception | None = None
    for number, item in enumerate(_items(dataset)):
        if isinstance(item, _UnreadableItem):
            unreadable.append((number, item.reason))
            cause = item.error
            if len(unreadable) == _MOST_UNREADABLE:
                break
            continue
        pair = _pair(item, number)
        if not unreadable:
            yield pair
    if unreadable:
        raise _unreadable_items(unreadable) from cause


class _UnreadableItem(NamedTuple):
    error: Exception

    @property
    def reason(self) -> str:
        return " ".join(f"{type(self.error).__name__}: {self.error}".split())


_END = object()


def _items(dataset: Any) -> Iterator[Any]:
    """Yield every item, or the error of reading it."""
    length = length_of(dataset)
    if length is not None:
        for number in range(length):
            yield _read(partial(dataset.__getitem__, number))
        return
    stream = iter(dataset)
    while (item := _read(partial(next, stream, _END))) is not _END:
        yield item
        if isinstance(item, _UnreadableItem):
            return


def _read(read: Callable[[], Any]) -> Any:
    try:
        item = read()
        values = [*item.values()] if isinstance(item, Mapping) else item
        for value in values if isinstance(values, tuple | list) else ():
            if isinstance(value, Image.Image):
                value.load()  # Pillow reads a file as late as it can
    except MemoryError:
        raise
    except Exception as error:  # data sets are users' code
        return _UnreadableItem(error)
    return item


def _pair(item: object, number: int) -> Pair:
    if isinstance(item, Mapping):
        image, label = _keys(item, number)
        return Pair(item[image], item[label], label)
    if isinstance(item, tuple | list) and len(item) == 2:
        return Pair(item[0], item[1], None)
    raise DataError(
        f"every item of a data set must be a pair (image, label) or a mapping with both, item "
        f"{number} is {kind_of(item)}"
    )


def _keys(item: Mapping[Any, Any], number: int) -> tuple[Any, Any]:
    """Return the keys of the image and of the label."""
    if all(key in item for key in _USUAL):
        return _USUAL
    images = [key for key, value in item.items() if _is_image(value)]
    labels = [key for key, value in item.items() if _is_label(value)]
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            f"a mapping must have one image and one whole number as its label, or both by the "
            f"keys 'image' and 'label'; item {number} has the images {images} and the numbers "
            f"{labels}: map the data set to pairs"
        )
    return images[0], labels[0]


def _is_image(value: object) -> bool:
    return isinstance(value, Image.Image) or (
        isinstance(value, np.ndarray | Tensor) and value.ndim in (2, 3)
    )


def _is_label(value: object) -> bool:
    if isinstance(value, bool):
        return False
    try:
        operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


def _unreadable_items(items: list[tuple[int, str]]) -> DataError:
    if len(items) == 1:
        number, reason = items[0]
        return DataError(f"item {number} of the data set cannot be read: {reason}")
    count = f"{'at least ' if len(items) == _MOST_UNREADABLE else ''}{len(items)}"
    named = ", ".join(f"{number} ({reason})" for number, reason in items[:_NAMED])
    more = ", ..." if len(items) > _NAMED else ""
    return DataError(f"{count} items of the data set cannot be read: {named}{more}")
