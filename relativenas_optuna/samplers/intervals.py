"""Optuna distributions as intervals of one real variable each, and back."""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)


def interval(distribution: BaseDistribution) -> tuple[float, float]:
    """The interval that a parameter's real variable lives in.

    `[0, n]` for n ordered or unordered values; the logarithm's range for a log parameter (that of
    an integer reaches half a step beyond its ends, so that each value owns a cell); `[low, high]`
    for any other float.

    Raises:
        ValueError: Where the interval is wider than the largest float.
    """
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
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            return min(max(round(math.exp(x)), distribution.low), distribution.high)
        return distribution.low + cell_index(distribution, x) * distribution.step
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is not None:
        value = distribution.low + cell_index(distribution, x) * distribution.step
    else:
        value = math.exp(x) if distribution.log else float(x)
    return min(max(value, distribution.low), distribution.high)


def encode(distribution: BaseDistribution, value: Any) -> float:
    """A point of the interval that decodes to `value`: the middle of its cell, where it has one."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value)) + 0.5
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if distribution.log:
        return math.log(value)
    if distribution.step is None:
        return float(value)
    return float(round((value - distribution.low) / distribution.step)) + 0.5


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
    """How many values a parameter has; `None` for a float without steps."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return 1 if distribution.single() else None
    return value_count(distribution)


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
