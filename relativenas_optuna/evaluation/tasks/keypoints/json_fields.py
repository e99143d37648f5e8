"""Read a JSON file from elsewhere, and check its fields."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from relativenas_optuna._utils.text import brief
from relativenas_optuna.exceptions import DataError

Array = npt.NDArray[np.float64]

_LARGEST_FILE = 2**30
"""Bytes of an annotation file; the largest of COCO has a quarter of it."""
_LARGEST_NUMBER = 1e6
_LARGEST_ID = 2**63 - 1
_LONGEST_NAME = 1024


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, without fields "segmentation".

    Raises:
        OSError: The file cannot be read.
        DataError: The file is larger than 1 GiB, or its content is no JSON object.
    """
    size = file.stat().st_size
    if size > _LARGEST_FILE:
        raise DataError(f"the file must have at most {_LARGEST_FILE} bytes, got {size}")
    try:
        data = json.loads(file.read_bytes(), object_hook=_without_outlines)
    # RecursionError: brackets may be nested without end.
    except (ValueError, RecursionError) as error:
        raise DataError(f"the file must be valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise DataError(f"the file must be a JSON object, got {brief(data)}")
    return data


def _without_outlines(found: dict[str, Any]) -> dict[str, Any]:
    """Drop the outlines of persons, which take most of the memory and are not used."""
    found.pop("segmentation", None)
    return found


def entries_of(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the list of objects in a field.

    Raises:
        DataError: The field is missing, or is something else.
    """
    entries = data.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{name} must be a list of objects, got {brief(entries)}")
    return entries


def whole(
    entry: dict[str, Any],
    name: str,
    where: str,
    *,
    low: int = 0,
    high: int = _LARGEST_ID,
    default: int | None = None,
) -> int:
    """Return the whole number in a field.

    Args:
        entry: Object with the field.
        name: Name of the field.
        where: Name of the object, for messages.
        low: Smallest allowed number.
        high: Largest allowed number.
        default: Number for a missing field; None if the field is required.

    Raises:
        DataError: The field is missing, is no whole number or is out of range.
    """
    value = entry.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise DataError(
            f"{name} of {where} must be a whole number from {low} to {high}, got {brief(value)}"
        )
    return value


def numbers(entry: dict[str, Any], name: str, where: str, count: int) -> Array:
    """Return the numbers in a field, each from -1e6 to 1e6, float64 `[count]`.

    Args:
        entry: Object with the field.
        name: Name of the field.
        where: Name of the object, for messages.
        count: Length of the list.

    Raises:
        DataError: The field is missing, or is something else.
    """
    values = entry.get(name)
    if isinstance(values, list) and len(values) == count and {*map(type, values)} <= {int, float}:
        with suppress(OverflowError):  # a whole number can be larger than every float
            array = np.array(values, dtype=np.float64)
            if (np.abs(array) <= _LARGEST_NUMBER).all():  # not so for NaN
                return array
    raise DataError(
        f"{name} of {where} must be a list of {count} numbers from -1e6 to 1e6, got {brief(values)}"
    )


def inner_path(entry: dict[str, Any], name: str, where: str) -> str:
    """Return the path in a field, which must lead to a file below a folder.

    Raises:
        DataError: The field is missing or no text, or the path leads out of the folder on some
            system.
    """
    value = entry.get(name)
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable():
        path = PureWindowsPath(value)  # it splits at both kinds of slashes
        if not path.anchor and ".." not in path.parts:
            return value
    raise DataError(
        f"{name} of {where} must be the path of a file inside the folder of images, got "
        f"{brief(value)}"
    )
