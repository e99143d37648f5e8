"""Conversion between an Optuna distribution's values and an interval of one real variable."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CELLS = 2**52  # with more, not every middle of a cell is a float
_MAX_INT = 2**53  # up to it, every whole number is a float
_MAX_LOG_INT = 2**40  # up to it, the logarithms of all whole numbers differ
_MAX_UNCHECKED = 1024  # values of a float that are proposed though Optuna may reject them
_NEIGHBOURS = 256  # cells on both sides that are tried for a value that Optuna accepts


def interval(distribution: BaseDistribution) -> tuple[float, float]:
    """Return the interval of a parameter's real variable.

    It is `[0, n]` for n choices or stepped values, the range of the logarithm for a log parameter
    (for an integer 0.5 wider at both ends, so that each value has a cell), and `[low, high]` for
    any other float.

    Raises:
        ValueError: The interval is wider than the largest float.
    """
    if isinstance(distribution, IntDistribution):
        _check_width(distribution)
    if isinstance(distribution, FloatDistribution):
        width = (distribution.high - distribution.low) / (distribution.step or 1.0)
        if not math.isfinite(width):
            raise ValueError(f"{distribution} is too wide for a float: take a smaller range")
    if isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
        margin = 0.5 if isinstance(distribution, IntDistribution) else 0.0
        return math.log(distribution.low - margin), math.log(distribution.high + margin)
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return distribution.low, distribution.high
    return 0.0, float(value_count(distribution))


def decode(distribution: BaseDistribution, x: float) -> Any:
    """Return a parameter's value at `x`, a point of its interval.

    The cells of an interval `[0, n]` are half open as in the paper, `index = max(ceil(x) - 1, 0)`:
    the whole number k has the value k - 1.
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[cell_index(distribution, x)]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(distribution, IntDistribution) or distribution.step is not None:
        return _stepped(distribution, x)
    value = math.exp(x) if distribution.log else float(x)
    return min(max(value, distribution.low), distribution.high)


def _stepped(distribution: IntDistribution | FloatDistribution, x: float) -> Any:
    """Return the value at `x` of a parameter with steps."""
    dense = is_dense(distribution)
    if distribution.log:
        index = round(math.exp(x)) - int(distribution.low)
    else:
        index = round(x) if dense else cell_index(distribution, x)
    index = min(max(index, 0), value_count(distribution) - 1)
    if isinstance(distribution, IntDistribution) and not dense:
        return distribution.low + index * distribution.step
    return _contained(distribution, index)


def encode(distribution: BaseDistribution, value: Any) -> float:
    """Return a point of the interval that decodes to `value`: the middle of its cell, if any."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value)) + 0.5
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if distribution.log:
        return math.log(value)
    if distribution.step is None:
        return float(value)
    index = float(round((value - distribution.low) / distribution.step))
    return index if is_dense(distribution) else index + 0.5


def is_dense(distribution: BaseDistribution) -> bool:
    """Return True if a stepped parameter has too many or too large values for exact floats.

    Its interval is treated like that of a float without steps.
    """
    if isinstance(distribution, CategoricalDistribution):
        return False
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(distribution, IntDistribution):
        largest = max(abs(distribution.low), abs(distribution.high))
        if largest > (_MAX_LOG_INT if distribution.log else _MAX_INT):
            return True
    return distribution.step is not None and value_count(distribution) > _MAX_CELLS


def _check_width(distribution: IntDistribution) -> None:
    try:
        float(distribution.high - distribution.low)
        float(distribution.low)
        float(distribution.high)
    except OverflowError:
        raise ValueError(
            f"IntDistribution with values of {len(str(distribution.high))} digits is too wide for "
            f"a float: take a smaller range"
        ) from None


def _contained(distribution: IntDistribution | FloatDistribution, index: int) -> Any:
    """Return the value `index` of a parameter with steps, or one near it that Optuna accepts.

    Optuna accepts a float that is a multiple of the step above the low end. Rounding makes it
    reject some values.
    """
    count = value_count(distribution)
    if isinstance(distribution, FloatDistribution) and count <= _MAX_UNCHECKED:
        return _value(distribution, index)
    values = (_value(distribution, at) for at in _candidates(index, count))
    found = (value for value in values if distribution._contains(float(value)))
    return next(found, _value(distribution, index))


def _value(distribution: IntDistribution | FloatDistribution, index: int) -> float | int:
    """Return the value `index` of a parameter with steps, as Optuna stores it."""
    step = distribution.step
    assert step is not None
    value = float(min(max(distribution.low + index * step, distribution.low), distribution.high))
    return int(value) if isinstance(distribution, IntDistribution) else value


def _candidates(index: int, count: int) -> Iterator[int]:
    """Yield an index below `count`, its neighbours, then ever rounder indices down to 0."""
    yield index
    near = range(1, _NEIGHBOURS + 1)
    yield from (at for i in near for at in (index + i, index - i) if 0 <= at < count)
    yield from (index >> bit << bit for bit in range(1, index.bit_length() + 1))


def equal(one: BaseDistribution | None, other: BaseDistribution) -> bool:
    """Return True if two distributions are equal, faster than Optuna does for categoricals."""
    if one is other:
        return True
    return (type(one) is type(other) and vars(one) == vars(other)) or one == other


def is_value_of(distribution: BaseDistribution, value: Any) -> bool:
    """Return True if a value belongs to a distribution."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False


def finite_count(distribution: BaseDistribution) -> int | None:
    """Return the number of a parameter's values, or None for a continuous or dense parameter."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return 1 if distribution.single() else None
    return None if is_dense(distribution) else value_count(distribution)


def value_index(distribution: BaseDistribution, x: float) -> int:
    """Return the index, from 0, of the value at `x` of a parameter with a `finite_count`."""
    if isinstance(distribution, IntDistribution) and distribution.log:
        return int(decode(distribution, x)) - distribution.low
    return cell_index(distribution, x)


def cell(distribution: BaseDistribution, index: int) -> tuple[float, float]:
    """Return the lower and upper end of a value's cell; the parameter has a `finite_count`."""
    low, high = interval(distribution)
    if isinstance(distribution, IntDistribution) and distribution.log:
        value = distribution.low + index
        return max(math.log(value - 0.5), low), min(math.log(value + 0.5), high)
    return (float(index), index + 1.0) if high > low else (low, high)


def value_count(distribution: BaseDistribution) -> int:
    """Return the number of values of a parameter that is not a float without steps."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    assert distribution.step is not None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def cell_index(distribution: BaseDistribution, x: float) -> int:
    """Return the index, from 0, of the cell of `[0, n]` that holds `x`."""
    return min(max(math.ceil(x) - 1, 0), value_count(distribution) - 1)


def has_unit_cells(distribution: BaseDistribution) -> bool:
    """Return True if the interval is divided into cells of length 1, one for each value."""
    if isinstance(distribution, CategoricalDistribution):
        return True
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return not (distribution.log or distribution.step is None or is_dense(distribution))


def first_equal(distribution: CategoricalDistribution) -> list[int]:
    """Return, for each choice, the index of the first choice that is equal to it."""
    choices = distribution.choices
    try:
        first: dict[Any, int] = {}
        return [first.setdefault(choice, i) for i, choice in enumerate(choices)]
    except TypeError:  # a list or a dict has no hash
        return [choices.index(choice) for choice in choices]
