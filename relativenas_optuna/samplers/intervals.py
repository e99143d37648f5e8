"""Optuna distributions as intervals of one real variable each, and back."""

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

_MOST_CELLS = 2**52  # the middles of more cells than that are not all floats
_LARGEST_INT = 2**53  # up to here every whole number is a float
_LARGEST_LOG_INT = 2**40  # up to here the logarithms of all whole numbers can be told apart
_FEW = 1024  # values of a float, none of which is left out
_NEIGHBOURS = 256  # cells on both sides that are tried for a value that Optuna takes


def interval(distribution: BaseDistribution) -> tuple[float, float]:
    """The interval that a parameter's real variable lives in.

    `[0, n]` for n ordered or unordered values; the logarithm's range for a log parameter (that of
    an integer reaches half a step beyond its ends, so that each value owns a cell); `[low, high]`
    for any other float.

    Raises:
        ValueError: Where the interval is wider than the largest float.
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
    """The parameter's value at `x`, a point of its interval.

    A cell of an interval `[0, n]` is half open, `index = max(ceil(x) - 1, 0)`, as in the paper: a
    whole number k gives value k - 1.
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
    """A point of the interval that decodes to `value`: the middle of its cell, where it has one."""
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
    """Return True if a parameter has more values than floats tell apart, or values that are none.

    Its interval is taken for that of a float without steps.
    """
    if isinstance(distribution, CategoricalDistribution):
        return False
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(distribution, IntDistribution):
        largest = max(abs(distribution.low), abs(distribution.high))
        if largest > (_LARGEST_LOG_INT if distribution.log else _LARGEST_INT):
            return True
    return distribution.step is not None and value_count(distribution) > _MOST_CELLS


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
    """Return the value `index` of a parameter with steps, or one near it that Optuna takes.

    Optuna stores a value as a float, and takes one for contained that is a multiple of the step
    above the low end after floats were rounded. Not every value is.
    """
    count = value_count(distribution)
    if isinstance(distribution, FloatDistribution) and count <= _FEW:
        return _value(distribution, index)  # whatever Optuna takes
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
    """An index below `count`, those near it, rounder ones, and the first."""
    yield index
    near = range(1, _NEIGHBOURS + 1)
    yield from (at for i in near for at in (index + i, index - i) if 0 <= at < count)
    yield from (index >> bit << bit for bit in range(1, index.bit_length() + 1))


def equal(one: BaseDistribution | None, other: BaseDistribution) -> bool:
    """Whether two distributions are equal, which Optuna is slow to say of categorical ones."""
    if one is other:
        return True
    return (type(one) is type(other) and vars(one) == vars(other)) or one == other


def is_value_of(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a parameter can have a value."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False


def count(distribution: BaseDistribution) -> int | None:
    """How many values a parameter has; `None` for a float without steps and what is as dense."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return 1 if distribution.single() else None
    return None if is_dense(distribution) else value_count(distribution)


def index(distribution: BaseDistribution, x: float) -> int:
    """Which of its values, from 0, a parameter with a `count` has at `x`."""
    if isinstance(distribution, IntDistribution) and distribution.log:
        return int(decode(distribution, x)) - distribution.low
    return cell_index(distribution, x)


def cell(distribution: BaseDistribution, index: int) -> tuple[float, float]:
    """The part of the interval that decodes to the value `index` of a parameter with a `count`."""
    low, high = interval(distribution)
    if isinstance(distribution, IntDistribution) and distribution.log:
        value = distribution.low + index
        return max(math.log(value - 0.5), low), min(math.log(value + 0.5), high)
    return (float(index), index + 1.0) if high > low else (low, high)


def value_count(distribution: BaseDistribution) -> int:
    """How many values a parameter has whose interval is divided into cells, or that is log."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    assert distribution.step is not None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def cell_index(distribution: BaseDistribution, x: float) -> int:
    """Which cell of `[0, n]` holds `x`, counted from 0."""
    return min(max(math.ceil(x) - 1, 0), value_count(distribution) - 1)


def is_even(distribution: BaseDistribution) -> bool:
    """Whether the interval is not divided into cells of length 1."""
    if is_dense(distribution):
        return True
    if isinstance(distribution, FloatDistribution):
        return distribution.step is None
    return isinstance(distribution, IntDistribution) and distribution.log


def first_equal(distribution: CategoricalDistribution) -> list[int]:
    """Of each choice the index of the first one that is equal."""
    choices = distribution.choices
    try:
        first: dict[Any, int] = {}
        return [first.setdefault(choice, i) for i, choice in enumerate(choices)]
    except TypeError:  # a list or a dict
        return [choices.index(choice) for choice in choices]
