"""Optuna distributions as intervals of one real variable each, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def decode(self, vector: Vector) -> dict[str, Any]:
        """Parameters of a position `[variables]`."""
        return {
            name: decode(distribution, x)
            for (name, distribution), x in zip(self.space.items(), vector.tolist(), strict=True)
        }

    def adopt(self, vector: Vector, params: Mapping[str, Any]) -> Vector:
        """The position of a member that was really scored with `params`.

        Where a parameter is what the proposed position `vector` `[variables]` decodes to, or is
        missing, or is none of the parameter's values, the proposed variable stays to the last bit;
        elsewhere (an enqueued or fixed parameter) the parameter's own point replaces it.
        """
        adopted = vector
        for i, (name, distribution) in enumerate(self.space.items()):
            if name not in params:
                continue
            try:
                internal = distribution.to_internal_repr(params[name])
            except ValueError:
                continue
            if not distribution._contains(internal):
                continue
            if internal != distribution.to_internal_repr(decode(distribution, float(vector[i]))):
                adopted = adopted.copy() if adopted is vector else adopted
                adopted[i] = encode(distribution, params[name])
        return adopted
