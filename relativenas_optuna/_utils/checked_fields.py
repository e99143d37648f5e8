"""Types and ranges of dataclass fields, declared once, and objects read back from JSON data.

Example:
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Training:
    ...     epochs: Annotated[int, Range(1)]
    ...     schedule: Annotated[str, ("cosine", "linear")] = "cosine"
    ...
    ...     def __post_init__(self) -> None:
    ...         check_fields(self)
"""

from __future__ import annotations

import math
import sys
import types
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from relativenas_optuna._utils.text import brief

T = TypeVar("T")
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Range:
    """A range of finite numbers, both ends included.

    Attributes:
        low: Smallest allowed number; -inf (the default) for no lower bound.
        high: Largest allowed number; inf (the default) for no upper bound.
    """

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        # A whole number can be larger than every float.
        largest = sys.float_info.max
        return max(self.low, -largest) <= value <= min(self.high, largest)

    def __str__(self) -> str:
        if self.high != math.inf:
            return f" from {self.low} to {self.high}"
        return "" if self.low == -math.inf else f" of at least {self.low}"


Count = Annotated[int, Range(0)]
Share = Annotated[float, Range(0, 1)]
Finite = Annotated[float, Range()]


def check_fields(instance: Any) -> None:
    """Raise if a field of a dataclass does not have its declared type or lies out of its range.

    A field's type may be int, float, bool, str, another class, a union of classes, a tuple of any
    length, or one of these or None. `Annotated` adds a `Range`, or a tuple of the allowed texts.

    Raises:
        ValueError: The message names the field, what is allowed, and the value.
    """
    for name, hint in _hints(type(instance)).items():
        check_value(name, hint, getattr(instance, name))


def check_value(name: str, hint: Any, value: object) -> None:
    """Raise as `check_fields` does for one value; `hint` is the declared type."""
    if not _fits(hint, value):
        raise ValueError(f"{name} must be {_rule(hint)}; got {brief(value)}")


def from_data(kind: type[T], data: Any) -> T:
    """Return the dataclass object whose fields `json_data.plain` wrote, after `check_fields`.

    Raises:
        LookupError, TypeError, ValueError: The data is something else.
    """
    hints = _hints(kind)
    instance = kind(**{name: _read(hints[name], value) for name, value in data.items()})
    check_fields(instance)
    return instance


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _parts(hint: Any) -> tuple[Any, Any, bool]:
    """Return a declared type without its rule, the rule, and True if None is allowed."""
    optional = get_origin(hint) in (Union, types.UnionType)
    if optional:
        kinds = tuple(part for part in get_args(hint) if part is not types.NoneType)
        optional = len(kinds) < len(get_args(hint))
        hint = kinds[0] if len(kinds) == 1 else kinds
    if get_origin(hint) is Annotated:
        return *get_args(hint)[:2], optional
    return hint, None, optional


def _fits(hint: Any, value: Any) -> bool:
    kind, rule, optional = _parts(hint)
    if value is None:
        return optional
    if kind in (int, float):
        right = isinstance(value, int | kind) and not isinstance(value, bool)
    else:
        right = isinstance(value, get_origin(kind) or kind)  # several classes are a tuple
    if right and get_origin(kind) is tuple:
        right = all(_fits(get_args(kind)[0], item) for item in value)
    return right and (rule is None or value in rule)


def _rule(hint: Any) -> str:
    kind, rule, _ = _parts(hint)
    if isinstance(rule, tuple):
        return f"one of {', '.join(rule)}"
    if get_origin(kind) is tuple:
        return f"a tuple, each item {_rule(get_args(kind)[0])}"
    if isinstance(kind, tuple):
        return f"of type {' or '.join(one.__name__ for one in kind)}"
    name = _KINDS.get(kind) or f"of type {(get_origin(kind) or kind).__name__}"
    if kind is float and isinstance(rule, Range) and rule.high == math.inf:
        name = "a finite number"
    return f"{name}{rule or ''}"


def _read(hint: Any, value: Any) -> Any:
    """Return the value of a field that `json_data.plain` wrote."""
    kind, _, _ = _parts(hint)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], item) for item in value)
    if hasattr(kind, "from_text") and isinstance(value, str):
        return kind.from_text(value)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, dict):
        return from_data(kind, value)
    if kind is float and value in ("nan", "inf", "-inf"):
        return float(value)
    return value
