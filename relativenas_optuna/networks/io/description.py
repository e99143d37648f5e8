"""The description of a trained network: architecture, sizes, classes and normalisation."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from relativenas_optuna._utils.limits import MOST
from relativenas_optuna.networks.network import FAMILIES
from relativenas_optuna.networks.space_network import any_network
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.registry import NetworkSizes
from relativenas_optuna.spaces.space_genotype import (
    AnyGenotype,
    SpaceGenotype,
    genotype_from_json,
)

FORMAT = "relativenas network 1"

# Limits for files from elsewhere: ten times the usual sizes, and still built in seconds.
"""Largest sizes of a network, by their names in `build`."""
_MOST_EDGES = 8192
_LONGEST_NAME = 1000
_LARGEST_SIDE = 8192
_LONGEST_TEXT = 32 * 1024**2
_LARGEST_NUMBER = 1e18  # its square is a number of float32 too
# Controls, lone surrogates, and what ends a line or a paragraph: they would garble a terminal.
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_CLASSIFICATION = "classification"
_TASK = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_FIELDS = (
    "genotype", "dataset", "channels", "cells", "in_channels", "classes", "auxiliary", "pool_norm",
    "mean", "std", "size", "task", "notes",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NetworkDescription:
    """The description of a trained network.

    Attributes:
        genotype: The architecture.
        dataset: Kind of network that `build` makes: "cifar10", "cifar100" or "imagenet".
        channels: Channels of the first cell's nodes.
        cells: Number of cells.
        in_channels: Channels of an image.
        classes: Names of the classes, in the order of the logits.
        auxiliary: True if the network has the auxiliary head.
        pool_norm: True if the network has an affine batch norm after each pooling.
        mean: Mean of the training images for each channel, in units in which 255 of 8 bits is 1.
            The input of the network is `(image - mean) / std`.
        std: Standard deviation of the training images for each channel, above 0.
        size: Height and width in pixels of the training images.
        notes: Any other data that JSON can hold.
        task: "classification", or the name of another task, whose network has this one as its
            backbone, without its classifier.

    Raises:
        ValueError: A field is out of range; the message names it.
    """

    genotype: AnyGenotype
    dataset: str
    channels: int
    cells: int
    in_channels: int
    classes: tuple[str, ...]
    auxiliary: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    pool_norm: bool = False
    notes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    task: str = _CLASSIFICATION

    def __post_init__(self) -> None:
        genotype: object = self.genotype
        if not isinstance(genotype, Genotype | SpaceGenotype):
            raise ValueError(f"genotype must be a Genotype, got {_brief(genotype)}")
        dataset: object = self.dataset
        if not isinstance(dataset, str) or dataset not in FAMILIES:
            raise ValueError(f"dataset must be one of {', '.join(FAMILIES)}, got {_brief(dataset)}")
        for name in ("channels", "cells", "in_channels"):
            _check_whole(name, getattr(self, name), MOST[name])
        if isinstance(genotype, Genotype):
            edges = self.cells * max(len(genotype.normal.edges), len(genotype.reduce.edges))
            if edges > _MOST_EDGES:
                raise ValueError(f"cells must have at most {_MOST_EDGES} edges in all, got {edges}")
        for name in ("auxiliary", "pool_norm"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {_brief(getattr(self, name))}")
        check_classes(self.classes)
        for name in ("mean", "std"):
            _check_numbers(name, getattr(self, name), self.in_channels, above_0=name == "std")
        _check_sides(self.size)
        if not isinstance(self.notes, Mapping):
            raise ValueError(f"notes must be an object, got {_brief(self.notes)}")
        task: object = self.task
        if not isinstance(task, str) or not _TASK.fullmatch(task):
            raise ValueError(f"task must be 1 to 100 letters, digits and '_', got {_brief(task)}")
        try:
            json.dumps(dict(self.notes), allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"notes must be JSON: {error}") from None

    def build(self, *, meta: bool = False) -> Any:  # see `any_network`
        """Build the classifier with initial weights.

        Args:
            meta: True to build it on the meta device, without memory for its weights; see
                `any_network`.

        Raises:
            ValueError: An operation is unknown, channels are too few, or the space is not loaded;
                or the network is for another task.
        """
        if self.task != _CLASSIFICATION:
            raise ValueError(f"the network is for {self.task}: open it by evaluation.open_network")
        sizes = NetworkSizes(
            channels=self.channels,
            cells=self.cells,
            in_channels=self.in_channels,
            num_classes=len(self.classes),
        )
        return any_network(
            self.genotype,
            self.dataset,
            sizes,
            auxiliary=self.auxiliary,
            pool_norm=self.pool_norm,
            meta=meta,
        )

    def to_json(self) -> str:
        """Return JSON, which `from_json` reads."""
        data = {name: getattr(self, name) for name in _FIELDS}
        data["genotype"] = json.loads(self.genotype.to_json())
        data["notes"] = dict(self.notes)
        return json.dumps({"format": FORMAT, **data}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> NetworkDescription:
        """Read a description from its JSON form, which anybody may have written.

        Raises:
            ValueError: The text is not a description, or a field is out of range.
        """
        if len(text) > _LONGEST_TEXT:
            raise ValueError(f"a description has at most {_LONGEST_TEXT} characters")
        try:
            # A refused NaN is a ValueError too.
            data = json.loads(text, parse_constant=_refuse_constant)
        # RecursionError: brackets may be nested without end.
        except (ValueError, RecursionError) as error:
            raise ValueError(f"a description must be valid JSON: {error}") from None
        if not isinstance(data, dict):
            raise ValueError(f"a description must be a JSON object, got {_brief(data)}")
        if data.pop("format", None) != FORMAT:
            raise ValueError(f"a description must have the format {FORMAT!r}")
        odd = sorted(set(data) ^ set(_FIELDS))
        if odd:
            what = "lacks" if odd[0] in _FIELDS else "has an unknown field"
            raise ValueError(f"the description {what} {_brief(odd[0])}")
        for name in ("classes", "mean", "std", "size"):
            if not isinstance(data[name], list):
                raise ValueError(f"{name} must be a list, got {_brief(data[name])}")
            data[name] = tuple(data[name])
        try:
            genotype = genotype_from_json(json.dumps(data["genotype"]))
        except RecursionError as error:
            raise ValueError(f"genotype must not be nested: {error}") from None
        return cls(**data | {"genotype": genotype})


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not in JSON")


def _check_whole(name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, got {_brief(value)}")


def _check_sides(sides: object) -> None:
    if not isinstance(sides, tuple) or len(sides) != 2:
        raise ValueError(f"size must be height and width, got {_brief(sides)}")
    for side in sides:
        _check_whole("size", side, _LARGEST_SIDE)


def check_classes(classes: object) -> None:
    """Raise if a network's file cannot hold some names of classes.

    Raises:
        ValueError: The names are not a tuple of strings, or they are too many or too long. Or a
            name is repeated or has characters that cannot be shown.
    """
    most = MOST["num_classes"]
    if not isinstance(classes, tuple) or not 1 <= len(classes) <= most:
        raise ValueError(f"classes must be 1 to {most} names, got {_brief(classes)}")
    seen = set()
    for name in classes:
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise ValueError(
                f"classes must be names of 1 to {_LONGEST_NAME} characters, got {_brief(name)}"
            )
        if any(unicodedata.category(character) in _UNPRINTABLE for character in name):
            raise ValueError(
                f"names of classes must be UTF-8 without control characters, got {_brief(name)}"
            )
        if name in seen:
            raise ValueError(f"classes must all differ, {_brief(name)} is there twice")
        seen.add(name)


def _check_numbers(name: str, numbers: object, count: int, *, above_0: bool) -> None:
    fine = isinstance(numbers, tuple) and len(numbers) == count
    if not fine or not all(_is_number(n) and (n > 0 or not above_0) for n in numbers):  # type: ignore[attr-defined]
        what = "finite numbers above 0" if above_0 else "finite numbers"
        raise ValueError(
            f"{name} must be {what}, one for each of {count} channels, got {_brief(numbers)}"
        )


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= _LARGEST_NUMBER  # not so for NaN


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
