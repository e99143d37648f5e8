"""Parameters of a study as a real vector, and back."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from relativenas_optuna.samplers.intervals import (
    cell_index,
    count,
    decode,
    encode,
    first_equal,
    index,
    interval,
    is_even,
    is_value_of,
    value_count,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_MOST_INDICATORS = 1024  # of one categorical


def _first_index(distribution: BaseDistribution, firsts: list[int], x: float) -> int:
    return firsts[cell_index(distribution, x)]


def _settled_point(distribution: BaseDistribution, x: float) -> float:
    return encode(distribution, decode(distribution, x))


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
    def continuous(self) -> NDArray[np.bool_]:
        """`[variables]`, True for each that is a float without steps, or as dense as one."""
        counts = [count(distribution) for distribution in self.space.values()]
        return np.array([number is None for number in counts], dtype=np.bool_)

    @cached_property
    def _last_cells(self) -> Vector:
        """The index of each variable's last cell; 0 for one whose interval has no cells."""
        counts = [1 if is_even(d) else value_count(d) for d in self.space.values()]
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
        return math.inf if self.counts is None else math.prod(self.sizes)

    @cached_property
    def sizes(self) -> list[int]:
        """How many different values each variable of a finite space has: equal choices are one."""
        assert self.counts is not None
        return [
            len(self._firsts[i]) if i in self._firsts else count
            for i, count in enumerate(self.counts)
        ]

    @cached_property
    def _firsts(self) -> dict[int, set[int]]:
        """Choices of each categorical that are equal to no earlier one, by its place."""
        return {
            i: set(first_equal(d))
            for i, d in enumerate(self.space.values())
            if isinstance(d, CategoricalDistribution)
        }

    def is_first(self, place: int, index: int) -> bool:
        """Return False for a choice of a variable that is equal to an earlier choice."""
        return place not in self._firsts or index in self._firsts[place]

    def indices(self, vector: Vector) -> tuple[float, ...]:
        """Which value each variable has at a position, counted from 0.

        Of equal choices it is the first. Of a float without steps it is the settled point.
        """
        indices: list[float] = [*self._cells(vector)]
        for i, index_at in self._other_indices.items():
            indices[i] = index_at(float(vector[i]))
        return tuple(indices)

    @cached_property
    def _other_indices(self) -> dict[int, Callable[[float], float]]:
        """How to find the index of a variable, by its place, where it is not that of its cell."""
        found: dict[int, Callable[[float], float]] = {}
        for i, distribution in enumerate(self.space.values()):
            if isinstance(distribution, CategoricalDistribution):
                firsts = first_equal(distribution)
                if firsts != list(range(len(firsts))):
                    found[i] = partial(_first_index, distribution, firsts)
            elif is_even(distribution):
                floats = isinstance(distribution, FloatDistribution)
                found[i] = partial(_settled_point if floats else index, distribution)
        return found

    def features(self, positions: Vector) -> Vector:
        """Positions `[n, variables]` as points `[n, features]` between which distances mean much.

        A categorical is 1 apart (squared) from every other choice; one of more than 1,024 choices
        has two digits, each of which counts for half of that. Anything else has one feature from 0
        to 2.
        """
        groups = [self._indicators(positions), self._ordered_features(positions)]
        return np.concatenate(groups, axis=1)

    @cached_property
    def _categorical(self) -> NDArray[np.bool_]:
        kinds = [isinstance(d, CategoricalDistribution) for d in self.space.values()]
        return np.array(kinds, dtype=np.bool_)

    def _indicators(self, positions: Vector) -> Vector:
        """`[n, choices of all categoricals]`, which are 0 but for one choice of each."""
        counts = self._last_cells[self._categorical].astype(int) + 1
        places = np.minimum(np.ceil(positions[:, self._categorical]) - 1, counts - 1)
        places = np.maximum(places, 0).astype(int)
        many = counts > _MOST_INDICATORS
        heights = np.sqrt(np.where(many, 0.25, 0.5))
        if many.any():  # two digits each, which take far less memory
            bases = np.ceil(np.sqrt(counts[many])).astype(int)
            last = places[:, many] % bases
            places[:, many] //= bases
            counts[many] = bases
            places = np.concatenate([places, last], axis=1)
            counts = np.concatenate([counts, bases])
            heights = np.concatenate([heights, heights[many]])
        columns = np.cumsum(counts) - counts + places
        indicators = np.zeros((len(positions), int(counts.sum())))
        indicators[np.arange(len(positions))[:, None], columns] = heights
        return indicators

    def _ordered_features(self, positions: Vector) -> Vector:
        ordered = ~self._categorical
        low, high = self.low[ordered], self.high[ordered]
        last = self._last_cells[ordered]
        middles = np.clip(np.ceil(positions[:, ordered]) - 0.5, 0.5, last + 0.5)
        points = np.where(last > 0, middles, positions[:, ordered])
        features: Vector = 2 * (points / (high - low) - low / (high - low))
        return features

    def canonical(self, position: Vector) -> Vector:
        """The point `[variables]` that stands for all that decode to the same parameters."""
        return self.position_of(self.decode(position), position)

    def describes(self, params: Mapping[str, Any]) -> bool:
        """Whether parameters have a value of every variable, and so a position of their own."""
        return all(
            name in params and is_value_of(d, params[name]) for name, d in self.space.items()
        )

    def fingerprint(self, params: Mapping[str, Any], basis: str) -> str:
        """What tells the parameters of all variables, and what they rest on, in eight bytes."""
        values = [basis, *[d.to_internal_repr(params[name]) for name, d in self.space.items()]]
        return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()

    def position_of(self, params: Mapping[str, Any], otherwise: Vector) -> Vector:
        """The point `[variables]` of parameters; what they lack is `otherwise`."""
        return np.array(
            [
                encode(d, params[name]) if name in params and is_value_of(d, params[name]) else x
                for (name, d), x in zip(self.space.items(), otherwise.tolist(), strict=True)
            ]
        )

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
