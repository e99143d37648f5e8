"""Conversion between a study's parameters and a real vector."""

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
    decode,
    encode,
    finite_count,
    first_equal,
    has_unit_cells,
    interval,
    is_value_of,
    value_count,
    value_index,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_MAX_INDICATORS = 1024  # of one categorical


@dataclass(frozen=True)
class Encoding:
    """Conversion between parameters and a real vector with one variable for each parameter.

    A parameter with a single value has no variable, since Optuna needs no sampler for it.

    Args:
        space: Distributions by name, in the order of the variables, none with a single value.
    """

    space: Mapping[str, BaseDistribution]

    @classmethod
    def of(cls, space: Mapping[str, BaseDistribution]) -> Encoding:
        """Return the encoding of a search space, without its single-valued parameters."""
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
    def _finite_counts(self) -> list[int | None]:
        return [finite_count(distribution) for distribution in self.space.values()]

    @cached_property
    def counts(self) -> list[int] | None:
        """Number of values of each variable, or None if one of them is continuous."""
        finite = [count for count in self._finite_counts if count is not None]
        return finite if len(finite) == len(self.space) else None

    @cached_property
    def continuous(self) -> NDArray[np.bool_]:
        """True for each variable `[variables]` without steps, or with dense ones (`is_dense`)."""
        return np.array([count is None for count in self._finite_counts], dtype=np.bool_)

    @cached_property
    def _last_cells(self) -> Vector:
        """Index of each variable's last cell, 0 for a variable without unit cells."""
        counts = [value_count(d) if has_unit_cells(d) else 1 for d in self.space.values()]
        return np.array(counts, dtype=np.float64) - 1

    def _cells(self, positions: Vector) -> NDArray[np.intp]:
        """Return the index of the cell of each variable, `[..., variables]`."""
        last = self._last_cells
        cells: NDArray[np.intp] = np.maximum(np.minimum(np.ceil(positions) - 1, last), 0).astype(
            int
        )
        return cells

    @cached_property
    def _choices(self) -> list[tuple[str, BaseDistribution, tuple[Any, ...] | None]]:
        return [
            (name, d, d.choices if isinstance(d, CategoricalDistribution) else None)
            for name, d in self.space.items()
        ]

    def decode(self, vector: Vector) -> dict[str, Any]:
        """Return the parameters at a position `[variables]`."""
        cells = self._cells(vector).tolist()
        variables = zip(self._choices, cells, vector.tolist(), strict=True)
        return {
            name: decode(distribution, x) if choices is None else choices[cell]
            for (name, distribution, choices), cell, x in variables
        }

    @cached_property
    def size(self) -> float:
        """Number of architectures; infinite if a variable is continuous."""
        return math.inf if self.counts is None else math.prod(self.sizes)

    @cached_property
    def sizes(self) -> list[int]:
        """Number of different values of each variable of a finite space."""
        assert self.counts is not None
        return [
            len(set(self._first_equals[i])) if i in self._first_equals else count
            for i, count in enumerate(self.counts)
        ]

    @cached_property
    def _first_equals(self) -> dict[int, list[int]]:
        """Index of the first equal choice for each choice of each categorical, by its variable."""
        return {
            i: first_equal(d)
            for i, d in enumerate(self.space.values())
            if isinstance(d, CategoricalDistribution)
        }

    def is_first(self, variable: int, index: int) -> bool:
        """Return False if an earlier choice of a variable is equal to the choice `index`."""
        return variable not in self._first_equals or self._first_equals[variable][index] == index

    def indices(self, vector: Vector) -> tuple[float, ...]:
        """Return the index of each variable's value at a position `[variables]`, from 0.

        Equal choices have the index of the first one. A continuous variable has the canonical point
        instead of an index.
        """
        indices: list[float] = self._cells(vector).tolist()
        for i, index_at in self._other_indices.items():
            indices[i] = index_at(float(vector[i]))
        return tuple(indices)

    @cached_property
    def _other_indices(self) -> dict[int, Callable[[float], float]]:
        """Functions from a point to its value index, for variables where it is not the cell's."""
        found: dict[int, Callable[[float], float]] = {}
        for i, distribution in enumerate(self.space.values()):
            if isinstance(distribution, CategoricalDistribution):
                firsts = self._first_equals[i]
                if firsts != list(range(len(firsts))):
                    found[i] = partial(_first_index, distribution, firsts)
            elif not has_unit_cells(distribution):
                floats = isinstance(distribution, FloatDistribution)
                found[i] = partial(_canonical_point if floats else value_index, distribution)
        return found

    def features(self, positions: Vector) -> Vector:
        """Return positions `[n, variables]` as points `[n, features]` with meaningful distances.

        Two choices of a categorical have the squared distance 1. A categorical of more than 1,024
        choices is written with two digits, which differ by 0.5 each. Any other variable has one
        feature from 0 to 2.
        """
        groups = [self._indicators(positions), self._ordered_features(positions)]
        return np.concatenate(groups, axis=1)

    @cached_property
    def _categorical(self) -> NDArray[np.bool_]:
        kinds = [isinstance(d, CategoricalDistribution) for d in self.space.values()]
        return np.array(kinds, dtype=np.bool_)

    def _indicators(self, positions: Vector) -> Vector:
        """Return the scaled one-hot vectors of all categoricals, `[n, their choices]`."""
        counts = self._last_cells[self._categorical].astype(int) + 1
        cells = self._cells(positions)[:, self._categorical]
        many = counts > _MAX_INDICATORS
        heights = np.sqrt(np.where(many, 0.25, 0.5))
        if many.any():  # two digits take far less memory
            bases = np.ceil(np.sqrt(counts[many])).astype(int)
            last = cells[:, many] % bases
            cells[:, many] //= bases
            counts[many] = bases
            cells = np.concatenate([cells, last], axis=1)
            counts = np.concatenate([counts, bases])
            heights = np.concatenate([heights, heights[many]])
        columns = np.cumsum(counts) - counts + cells
        indicators = np.zeros((len(positions), int(counts.sum())))
        indicators[np.arange(len(positions))[:, None], columns] = heights
        return indicators

    def _ordered_features(self, positions: Vector) -> Vector:
        ordered = ~self._categorical
        low, high = self.low[ordered], self.high[ordered]
        middles = self._cells(positions)[:, ordered] + 0.5
        points = np.where(self._last_cells[ordered] > 0, middles, positions[:, ordered])
        features: Vector = 2 * (points / (high - low) - low / (high - low))
        return features

    def canonical(self, position: Vector) -> Vector:
        """Return the point `[variables]` that represents all positions of the same parameters."""
        return self.position_of(self.decode(position), position)

    def describes(self, params: Mapping[str, Any]) -> bool:
        """Return True if parameters have a valid value for every variable."""
        return all(
            name in params and is_value_of(d, params[name]) for name, d in self.space.items()
        )

    def fingerprint(self, params: Mapping[str, Any], basis: str) -> str:
        """Return a hash of 8 bytes, in hexadecimal digits, of all variables' values and a text.

        Args:
            params: Parameters with a valid value for every variable.
            basis: The text.
        """
        values = [basis, *[d.to_internal_repr(params[name]) for name, d in self.space.items()]]
        return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()

    def position_of(self, params: Mapping[str, Any], otherwise: Vector) -> Vector:
        """Return the point `[variables]` of parameters.

        Args:
            params: Parameters, of which some may be missing or invalid.
            otherwise: Point `[variables]` with the values for missing or invalid parameters.
        """
        return np.array(
            [
                encode(d, params[name]) if name in params and is_value_of(d, params[name]) else x
                for (name, d), x in zip(self.space.items(), otherwise.tolist(), strict=True)
            ]
        )

    def adopt(self, vector: Vector, params: Mapping[str, Any]) -> Vector:
        """Return the position of a member that was proposed at `vector` and scored with `params`.

        A variable keeps its proposed bits if its parameter has the proposed value, is missing or
        has an invalid value. Otherwise (the parameter was enqueued or fixed) it is the point of the
        scored value.
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


def _first_index(distribution: BaseDistribution, firsts: list[int], x: float) -> int:
    return firsts[cell_index(distribution, x)]


def _canonical_point(distribution: BaseDistribution, x: float) -> float:
    return encode(distribution, decode(distribution, x))
