"""Convert value objects to plain data that every JSON parser can read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, distribution_to_json


def plain(value: object) -> Any:
    """Return a value as None, booleans, numbers, strings, lists and dictionaries.

    A value that JSON lacks becomes a string: "nan", "inf" or "-inf" for a number, otherwise its
    `repr`. An object with a method `to_text` becomes that text. An array becomes a list of its
    rows, with None for a row that contains NaN or infinity. A dataclass object becomes a
    dictionary, with its fields in the order of their declaration.
    """
    if isinstance(value, BaseDistribution):
        value = json.loads(distribution_to_json(value))
    if isinstance(value, np.ndarray):
        value = _rows(value)
    if hasattr(value, "to_text"):
        return value.to_text()
    if is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in fields(value) if not f.name.startswith("_")]
        names += getattr(value, "derived", ())
        value = {name: getattr(value, name) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, float | int | str | None) else repr(value)


def finite(value: object) -> float | None:
    """Return a number as a finite float; None for anything else.

    It checks values from study and trial attributes, which any program can write.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _rows(array: Any) -> list[Any]:
    known = np.isfinite(array).all(axis=1)
    return [row if there else None for row, there in zip(array.tolist(), known, strict=True)]
