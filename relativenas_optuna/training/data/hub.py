"""Images of data sets that the library `datasets` of Hugging Face loads: "hf:NAME"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.data.data_names import HUB
from relativenas_optuna.training.data.image_files import EncodedFiles, LabelledFiles, file_state

_LEAST_VERSION = 4
_OPTIONS = ("config", "image", "label", "train", "test", "revision")
_TESTS = ("test", "validation", "valid", "val", "dev")
"""Names of splits with test images, the best first."""


class HubFiles(EncodedFiles):
    """The encoded images in a column of a data set.

    Args:
        title: Text of the data set.
        part: "train" or "test".
        rows: Data set whose images are not decoded.
        column: Name of the column of the images.
    """

    def __init__(self, title: str, part: str, rows: Any, column: str) -> None:
        self.title, self.part, self._rows, self._column = title, part, rows, column

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        """Return the data set, the part and the number of the image."""
        return f"{self.title} {self.part} {index}"

    def state(self) -> Iterable[str]:
        """Yield the number of images, and the path, size and time of each file of the library."""
        yield f"{len(self._rows)} {self._column}"
        for entry in self._rows.cache_files:
            yield file_state(entry["filename"])

    def _content(self, index: int) -> bytes:
        encoded = self._rows[index][self._column] or {}
        content = encoded.get("bytes")
        if content is None and encoded.get("path"):
            content = Path(encoded["path"]).read_bytes()
        return bytes(content or b"")


def list_hub(source: str, train: bool) -> LabelledFiles:
    """List the images of one part of a data set of the library `datasets`.

    Args:
        source: Text of the data set; see `_Address`.
        train: True for the training images, False for the test images.

    Raises:
        DataError: The library is not installed, the data set cannot be loaded or has no such
            part, or it is not clear which columns have the images and the labels.
    """
    address, splits = _address(source), _splits(source)
    training = _training(address, splits)
    chosen = training if train else _test(address, splits)
    if chosen is None:
        raise DataError(
            f"data {source!r} has no test images; its splits are {_named(splits)}: say which one "
            f"by {HUB}NAME,test=SPLIT"
        )
    image = _column(address, training, "image")
    label = _column(address, training, "label")
    classes, numbers = _classes(address, training, label)
    labels = [numbers.get(value, -1) if numbers else value for value in chosen[label][:]]
    wrong = [n for n, value in enumerate(labels) if value is None or not 0 <= value < len(classes)]
    if wrong:
        raise DataError(
            f"data {source!r} has {len(wrong):,} images without a label of the training images, "
            f"such as number {wrong[0]}"
        )
    rows = chosen.select_columns([image]).cast_column(image, _library().Image(decode=False))
    return LabelledFiles(
        files=HubFiles(source, "train" if train else "test", rows, image),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=classes,
    )


def has_hub_test(source: str) -> bool:
    """Return True if a data set of the library `datasets` has test images with labels.

    Raises:
        DataError: The library is not installed, or the data set cannot be loaded.
    """
    return _test(_address(source), _splits(source)) is not None


class _Address(NamedTuple):
    """The parts of "hf:NAME,OPTION=VALUE,...".

    Attributes:
        source: The whole text.
        name: Name on the hub, or path of a folder.
        options: Name of the configuration ("config"), of the columns of the images ("image") and
            of the labels ("label"), of the splits to train on ("train") and to test with
            ("test"), and the revision on the hub ("revision").
    """

    source: str
    name: str
    options: dict[str, str]


def _address(source: str) -> _Address:
    name, *parts = source.removeprefix(HUB).split(",")
    options = {}
    for part in parts:
        key, sign, value = part.partition("=")
        if key not in _OPTIONS or not sign or not value:
            raise DataError(
                f"data {source!r} must be {HUB}NAME, with options such as ,label=COLUMN ("
                f"{', '.join(_OPTIONS)}); got {part!r}"
            )
        options[key] = value
    if not name:
        raise DataError(f"data {source!r} must name a data set: {HUB}NAME")
    return _Address(source, name, options)


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError(
            f"data {HUB}NAME needs the library datasets: pip install datasets"
        ) from None
    if int(datasets.__version__.split(".")[0]) < _LEAST_VERSION:
        raise DataError(
            f"data {HUB}NAME needs version {_LEAST_VERSION} or newer of the library datasets, as "
            f"older ones run programs of data sets; got {datasets.__version__}: pip install -U "
            f"datasets"
        )
    return datasets


@lru_cache(maxsize=4)
def _splits(source: str) -> Mapping[str, Any]:
    """Return the data sets of all splits, by the names of the splits."""
    address, library = _address(source), _library()
    try:
        found = library.load_dataset(
            address.name,
            address.options.get("config"),
            revision=address.options.get("revision"),
        )
    except Exception as error:  # the library raises errors of many others
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"data {source!r} cannot be loaded: {reason}") from error
    return dict(found)


def _training(address: _Address, splits: Mapping[str, Any]) -> Any:
    name = address.options.get("train", "train")
    if name in splits:
        return splits[name]
    if len(splits) == 1 and "train" not in address.options:
        return next(iter(splits.values()))
    raise DataError(
        f"data {address.source!r} has no split {name!r} to train on; its splits are "
        f"{_named(splits)}: say which one by {HUB}NAME,train=SPLIT"
    )


def _test(address: _Address, splits: Mapping[str, Any]) -> Any | None:
    """Return the test images; None if no split has test images with labels."""
    name = address.options.get("test")
    if name is not None:
        return splits.get(name)
    label = address.options.get("label")
    for name in _TESTS:
        if name in splits:
            column = label or _column(address, splits[name], "label")
            # Labels of a contest are hidden by -1.
            if min(splits[name][column][:], default=-1) != -1:
                return splits[name]
    return None


def _column(address: _Address, rows: Any, role: str) -> str:
    """Return the name of the column of the images or of the labels."""
    given = address.options.get(role)
    if given is not None:
        if given not in rows.features:
            raise DataError(
                f"data {address.source!r} has no column {given!r}; its columns are "
                f"{_named(rows.features)}"
            )
        return given
    library = _library()
    kind = library.Image if role == "image" else library.ClassLabel
    found = [name for name, feature in rows.features.items() if isinstance(feature, kind)]
    if len(found) != 1:
        several = f"several columns of type {kind.__name__}, {_named(found)}"
        none = f"no column of type {kind.__name__}; its columns are {_named(rows.features)}"
        raise DataError(
            f"data {address.source!r} has {several if found else none}: say which one by "
            f"{HUB}NAME,{role}=COLUMN"
        )
    return str(found[0])


def _classes(address: _Address, rows: Any, label: str) -> tuple[tuple[str, ...], dict[Any, int]]:
    """Return the names of the classes, and the number of each value; none if labels are numbers."""
    names = getattr(rows.features[label], "names", None)
    if names:
        return tuple(names), {}
    values = rows[label][:]
    if all(isinstance(value, str) for value in values):
        texts = sorted(set(values))
        return tuple(texts), {text: number for number, text in enumerate(texts)}
    if all(type(value) is int and value >= 0 for value in values) and values:
        highest, different = max(values), len(set(values))
        if highest < 2 * different:
            return tuple(map(str, range(highest + 1))), {}
    raise DataError(
        f"column {label!r} of data {address.source!r} must have texts, or numbers 0 to n - 1 for n "
        f"classes: say which one has the labels by {HUB}NAME,label=COLUMN"
    )


def _named(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
