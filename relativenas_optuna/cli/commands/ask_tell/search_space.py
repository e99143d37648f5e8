"""Read a search space from JSON, in the formats of `optuna ask --search-space`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from relativenas_optuna._utils.files import decoded
from relativenas_optuna.exceptions import SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.distributions import BaseDistribution

_LARGEST = 10_000_000  # bytes; 100,000 parameters or so
_LONGEST_NAME = 512  # characters, as Optuna's tables have it
_EXAMPLE = '{"x": {"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0}}}'
_CLASSES: dict[str, Callable[..., BaseDistribution]] = {
    "FloatDistribution": FloatDistribution,
    "IntDistribution": IntDistribution,
    "CategoricalDistribution": CategoricalDistribution,
}
_SHORT = {name.removesuffix("Distribution").lower(): name for name in _CLASSES}


def read_space(source: str) -> dict[str, BaseDistribution]:
    """Return the search space that `source` contains or names.

    The JSON is an object that maps parameter names to distributions. A distribution is written as
    by `optuna.distributions.distribution_to_json`, or in Optuna's short form
    `{"type": "float", "low": 0.0, "high": 1.0}`. The order of the parameters matters.

    Args:
        source: JSON text, the path of a JSON file, or "-" for standard input.

    Raises:
        SpaceError: The content is not such a search space, or has more than 10 MB.
        OSError: The file cannot be read.
    """
    if source.lstrip()[:1] in ("{", "["):
        data, where = source.encode(errors="surrogateescape"), "the search space"
    elif source == "-":
        data, where = sys.stdin.buffer.read(_LARGEST + 1), "the search space on standard input"
    else:
        with Path(source).open("rb") as file:
            data, where = file.read(_LARGEST + 1), f"the search space {source!r}"
    if len(data) > _LARGEST:
        raise SpaceError(f"{where} must be at most {_LARGEST // 1_000_000} MB, and is more")
    try:
        loaded = json.loads(decoded(data), object_pairs_hook=_object)
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    except RecursionError:
        raise SpaceError(f"{where} is nested too deep for a search space") from None
    except ValueError as error:
        raise SpaceError(f"{where} must be JSON such as {_EXAMPLE}; {error}") from None
    if not isinstance(loaded, dict) or not loaded:
        raise SpaceError(
            f"{where} must be a JSON object with at least one parameter, such as {_EXAMPLE}; got "
            f"{_shown(loaded)}"
        )
    return {_name(name): _distribution(name, entry) for name, entry in loaded.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise SpaceError(f"{_shown(name)} is there twice; leave one out")
        found[name] = value
    return found


def _name(name: str) -> str:
    stored = name.isprintable() and bool(name) and len(name) <= _LONGEST_NAME
    if not stored:
        raise SpaceError(
            f"a parameter's name must be 1 to {_LONGEST_NAME} printable characters; got "
            f"{_shown(name)}"
        )
    return name


def _distribution(name: str, entry: object) -> BaseDistribution:
    def refuse(rule: str) -> SpaceError:
        return SpaceError(f"parameter {_shown(name)} of the search space {rule}")

    kind, attributes = _parts(entry)
    if kind not in _CLASSES or not isinstance(attributes, dict):
        raise refuse(f"must be one of {', '.join(_CLASSES)}, as in {_EXAMPLE}; got {_shown(entry)}")
    for key, value in attributes.items():
        if key in ("low", "high") or (key == "step" and value is not None):
            if isinstance(value, bool | str | list | dict | None) or not _is_finite(value):
                raise refuse(f"must have a finite number for {key}; got {_shown(value)}")
            if kind == "IntDistribution" and value != int(value):
                raise refuse(f"must have a whole number for {key}; got {_shown(value)}")
        elif key == "log" and not isinstance(value, bool):
            raise refuse(f"must have true or false for log; got {_shown(value)}")
        elif key == "choices" and not (isinstance(value, list) and all(map(_is_plain, value))):
            raise refuse(
                f"must have a list of strings, numbers, booleans and nulls for choices; got "
                f"{_shown(value)}"
            )
    if kind == "IntDistribution" and attributes.get("step", 1) is None:
        attributes = {key: value for key, value in attributes.items() if key != "step"}
    try:
        return _CLASSES[kind](**attributes)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise refuse(f"is no {kind}: {str(error).removeprefix(f'{kind}.__init__() ')}") from None


def _parts(entry: object) -> tuple[str, object]:
    """Return the class name and the attributes of one entry, in either form."""
    if not isinstance(entry, dict):
        return "", None
    if "name" in entry:
        known = entry.keys() <= {"name", "attributes"}
        return str(entry["name"]), entry.get("attributes", {}) if known else None
    attributes = {key: value for key, value in entry.items() if key != "type"}
    return _SHORT.get(str(entry.get("type")), ""), attributes


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is too large for a float
        return False


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _shown(value: object) -> str:
    """Return a value for a message."""
    text = value if isinstance(value, str) else json.dumps(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
