"""Value objects as plain data that every JSON parser reads back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, distribution_to_json


def plain(value: object) -> Any:
    """A value as `None`, booleans, numbers, texts, lists and objects.

    What JSON has no word for is text: "nan", "inf" and "-inf" for numbers, `repr` for any other
    choice of a parameter. An object with a method `to_text` is that text. A row of positions that
    are not known is `None`. Names of objects are in the order of their fields, which grow at the
    end only.
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
    """A number as a finite float; `None` for anything else, for attributes are open to anyone."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _rows(array: Any) -> list[Any]:
    known = np.isfinite(array).all(axis=1)
    return [row if there else None for row, there in zip(array.tolist(), known, strict=True)]
