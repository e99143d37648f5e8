"""Optuna distributions as intervals of one real variable each, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


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
    return 0.0, float(_count(distribution))


def decode(distribution: BaseDistribution, x: float) -> Any:
    """The parameter's value at `x`, a point of its interval.

    A cell of an interval `[0, n]` is half open, `index = max(ceil(x) - 1, 0)`, as in the paper: a
    whole number k gives value k - 1.
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_cell(distribution, x)]
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            return min(max(round(math.exp(x)), distribution.low), distribution.high)
        return distribution.low + _cell(distribution, x) * distribution.step
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is not None:
        value = distribution.low + _cell(distribution, x) * distribution.step
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
    return _count(distribution)


def index(distribution: BaseDistribution, x: float) -> int:
    """Which of its values, from 0, a parameter with a `count` has at `x`."""
    if isinstance(distribution, IntDistribution) and distribution.log:
        return int(decode(distribution, x)) - distribution.low
    return _cell(distribution, x)


def cell(distribution: BaseDistribution, index: int) -> tuple[float, float]:
    """The part of the interval that decodes to the value `index` of a parameter with a `count`."""
    low, high = interval(distribution)
    if isinstance(distribution, IntDistribution) and distribution.log:
        value = distribution.low + index
        return max(math.log(value - 0.5), low), min(math.log(value + 0.5), high)
    return (float(index), index + 1.0) if high > low else (low, high)


def _count(distribution: BaseDistribution) -> int:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    assert distribution.step is not None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _cell(distribution: BaseDistribution, x: float) -> int:
    return min(max(math.ceil(x) - 1, 0), _count(distribution) - 1)


def _is_even(distribution: BaseDistribution) -> bool:
    """Whether the interval is not divided into cells of length 1."""
    if isinstance(distribution, FloatDistribution):
        return distribution.step is None
    return isinstance(distribution, IntDistribution) and distribution.log


def _first_index(distribution: BaseDistribution, firsts: list[int], x: float) -> int:
    return firsts[_cell(distribution, x)]


def _firsts(distribution: CategoricalDistribution) -> list[int]:
    """Of each choice the index of the first one that is equal."""
    choices = distribution.choices
    try:
        first: dict[Any, int] = {}
        return [first.setdefault(choice, i) for i, choice in enumerate(choices)]
    except TypeError:  # a list or a dict
        return [choices.index(choice) for choice in choices]


@dataclass(frozen=True)
class Encoding:
    """Parameters of a study <-> a real vector with one variable per parameter, in this order.

    Parameters with a single value have no variable: Optuna fills them in by itself.
    """

    space: Mapping[str, BaseDistribution]

    @classmethod
    def of(cls, space: Mapping[str, BaseDistribution]) -> Encoding:
        """The encoding of a search space, without its single-valued parameters."""
        return cls({name: space[name] for name in space if not space[name].single()})

    @cached_property
    def low(self) -> Vector:
        """Lower bounds `[variables]`."""
        return np.array([interval(d)[0] for d in self.space.values()], dtype=np.float64)

    @cached_property
    def high(self) -> Vector:
        """Upper bounds `[variables]`."""
        return np.array([interval(d)[1] for d in self.space.values()], dtype=np.float64)

    @cached_property
    def counts(self) -> list[int] | None:
        """How many values each variable has; `None` where one is a float without steps."""
        counts = [count(distribution) for distribution in self.space.values()]
        finite = [n for n in counts if n is not None]
        return finite if len(finite) == len(counts) else None

    @cached_property
    def _last_cells(self) -> Vector:
        """The index of each variable's last cell; 0 for one whose interval has no cells."""
        counts = [1 if _is_even(d) else _count(d) for d in self.space.values()]
        return np.array(counts, dtype=np.float64) - 1

    def _cells(self, vector: Vector) -> list[int]:
        cells: list[int] = (
            np.maximum(np.minimum(np.ceil(vector) - 1, self._last_cells), 0).astype(int).tolist()
        )
        return cells

    @cached_property
    def _choices(self) -> list[tuple[str, BaseDistribution, tuple[Any, ...] | None]]:
        return [
            (name, d, d.choices if isinstance(d, CategoricalDistribution) else None)
            for name, d in self.space.items()
        ]

    def decode(self, vector: Vector) -> dict[str, Any]:
        """Parameters of a position `[variables]`."""
        variables = zip(self._choices, self._cells(vector), vector.tolist(), strict=True)
        return {
            name: decode(distribution, x) if choices is None else choices[cell]
            for (name, distribution, choices), cell, x in variables
        }

    @cached_property
    def size(self) -> float:
        """How many architectures there are: infinitely many where a float has no steps."""
        if self.counts is None:
            return math.inf
        distributions = zip(self.space.values(), self.counts, strict=True)
        return math.prod(
            len(set(_firsts(d))) if isinstance(d, CategoricalDistribution) else n
            for d, n in distributions
        )

    def indices(self, vector: Vector) -> tuple[int, ...]:
        """Which value each variable of a finite space has at a position, counted from 0.

        Of equal choices it is the first.
        """
        indices = self._cells(vector)
        for i, index_at in self._other_indices.items():
            indices[i] = index_at(float(vector[i]))
        return tuple(indices)

    @cached_property
    def _other_indices(self) -> dict[int, Callable[[float], int]]:
        """How to find the index of a variable, by its place, where it is not that of its cell."""
        found: dict[int, Callable[[float], int]] = {}
        for i, distribution in enumerate(self.space.values()):
            if isinstance(distribution, CategoricalDistribution):
                firsts = _firsts(distribution)
                if firsts != list(range(len(firsts))):
                    found[i] = partial(_first_index, distribution, firsts)
            elif _is_even(distribution):
                found[i] = partial(index, distribution)
        return found

    def indices_of(self, params: Mapping[str, Any]) -> tuple[int, ...]:
        """The same of parameters.

        Raises:
            ValueError: One is no choice of its variable.
        """
        space = self.space.items()
        return tuple([index(d, encode(d, params[name])) for name, d in space])

    def adopt(self, vector: Vector, params: Mapping[str, Any]) -> Vector:
        """The position of a member that was really scored with `params`.

        Where a parameter is what the proposed position `vector` `[variables]` decodes to, or is
        missing, or is none of the parameter's values, the proposed variable stays to the last bit;
        elsewhere (an enqueued or fixed parameter) the parameter's own point replaces it.
        """
        adopted = vector
        for i, (name, proposed) in enumerate(self.decode(vector).items()):
            if name not in params or params[name] == proposed:
                continue
            distribution = self.space[name]
            if not is_value_of(distribution, params[name]):
                continue
            internal = distribution.to_internal_repr(params[name])
            if internal != distribution.to_internal_repr(proposed):
                adopted = adopted.copy() if adopted is vector else adopted
                adopted[i] = encode(distribution, params[name])
        return adopted
