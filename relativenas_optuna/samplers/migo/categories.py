"""Categories of parameters: choices, values, or ordered bins of values."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from relativenas_optuna.samplers.intervals import (
    cell,
    decode,
    encode,
    finite_count,
    first_equal,
    interval,
    is_value_of,
    value_index,
)
from relativenas_optuna.samplers.limits.within import MOST_VALUES
from relativenas_optuna.samplers.migo.natural_gradient import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding


class Categories(Protocol):
    """The categories of one parameter."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """The value of each category, or the lowest and highest value (low, high) of a bin."""

    def index_of(self, value: Any) -> int:
        """Return the category of a value of the parameter."""

    def point(self, category: int, share: float) -> float:
        """Return a point of a category in the parameter's interval, see `intervals.interval`.

        Args:
            category: Index of the category.
            share: Place in a bin, from 0 to below 1.
        """


def categories_of(distribution: BaseDistribution, bins: int) -> Categories:
    """Return the categories of a parameter with more than one value.

    A categorical parameter has its choices; equal choices are one. A parameter with at most `bins`
    values has its values. Any other one has `bins` ordered bins of its interval, of equal width
    except for rounding to whole values; a bin of a log parameter without a value is left out.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _Choices(distribution)
    count = finite_count(distribution)
    if count is None:
        return _Bins(distribution, bins)
    if count <= bins:
        return _Values(distribution, tuple(range(count)), count)
    if isinstance(distribution, IntDistribution) and distribution.log:
        low, high = interval(distribution)
        ends = (math.exp(low + k * (high - low) / bins) for k in range(1, bins))
        starts = {0, *(math.ceil(end) - distribution.low for end in ends)}
        return _Values(distribution, tuple(sorted(k for k in starts if 0 <= k < count)), count)
    return _Values(distribution, tuple(k * count // bins for k in range(bins)), count)


@dataclass(frozen=True)
class _Choices:
    """The different choices of a categorical parameter."""

    distribution: CategoricalDistribution

    @cached_property
    def _firsts(self) -> list[int]:
        """Index of the first equal choice for each choice."""
        return first_equal(self.distribution)

    @cached_property
    def _different(self) -> list[int]:
        return sorted(set(self._firsts))

    @property
    def labels(self) -> tuple[Any, ...]:
        return tuple(self.distribution.choices[i] for i in self._different)

    def index_of(self, value: Any) -> int:
        choice = self._firsts[int(self.distribution.to_internal_repr(value))]
        return bisect_right(self._different, choice) - 1

    def point(self, category: int, share: float) -> float:
        return self._different[category] + 0.5


@dataclass(frozen=True)
class _Values:
    """Groups of consecutive values of a parameter with a finite number of them.

    Attributes:
        distribution: Distribution of the parameter.
        starts: Index of the first value of each group.
        count: Number of values.
    """

    distribution: BaseDistribution
    starts: tuple[int, ...]
    count: int

    @property
    def labels(self) -> tuple[Any, ...]:
        ends = zip(self.starts, (*self.starts[1:], self.count), strict=True)
        return tuple(
            self._value(start) if end - start == 1 else (self._value(start), self._value(end - 1))
            for start, end in ends
        )

    def index_of(self, value: Any) -> int:
        index = value_index(self.distribution, encode(self.distribution, value))
        return bisect_right(self.starts, index) - 1

    def point(self, category: int, share: float) -> float:
        start = self.starts[category]
        last = (*self.starts[1:], self.count)[category] - 1
        low, high = cell(self.distribution, start)[0], cell(self.distribution, last)[1]
        index = value_index(self.distribution, low + share * (high - low))
        return encode(self.distribution, self._value(min(max(index, start), last)))

    def _value(self, index: int) -> Any:
        low, high = cell(self.distribution, index)
        return decode(self.distribution, (low + high) / 2)


class _Bins:
    """Ordered bins of equal width over the interval of a continuous or dense parameter."""

    def __init__(self, distribution: BaseDistribution, bins: int) -> None:
        self._distribution = distribution
        low, high = interval(distribution)
        inner = np.unique(np.linspace(low, high, bins + 1))
        self._ends: list[float] = [low, *inner[(low < inner) & (inner < high)].tolist(), high]

    @property
    def labels(self) -> tuple[Any, ...]:
        values = [decode(self._distribution, end) for end in self._ends]
        return tuple(pairwise(values))

    def index_of(self, value: Any) -> int:
        inner = self._ends[1:-1]
        return bisect_right(inner, encode(self._distribution, value))

    def point(self, category: int, share: float) -> float:
        low, high = self._ends[category : category + 2]
        point = low + share * (high - low)
        # Rounding may move a point at an end into the next bin.
        inside = self.index_of(decode(self._distribution, point)) == category
        return point if inside else low + (high - low) / 2


@dataclass(frozen=True)
class CategorySpace:
    """The categories of all variables of an encoding.

    Args:
        encoding: The encoding.
        bins: Number of bins, see `categories_of`.
        exact: Names of parameters that have a category for each value, since a limit counts them.
    """

    encoding: Encoding
    bins: int
    exact: frozenset[str] = frozenset()

    def is_exact(self, name: str) -> bool:
        """Return True if a parameter of the encoding has a category for each of its values."""
        count = finite_count(self.encoding.space[name])
        return name in self.exact and count is not None and count <= MOST_VALUES

    @cached_property
    def variables(self) -> dict[str, Categories]:
        """Categories of each variable, by name in the order of the encoding."""
        return {
            name: categories_of(d, MOST_VALUES if self.is_exact(name) else self.bins)
            for name, d in self.encoding.space.items()
        }

    @cached_property
    def counts(self) -> list[int]:
        """Number of categories of each variable."""
        return [len(categories.labels) for categories in self.variables.values()]

    def sample_of(self, params: Mapping[str, Any]) -> list[int]:
        """Return the category of each variable; `UNKNOWN` for a missing or invalid value."""
        space = self.encoding.space
        return [
            categories.index_of(params[name])
            if name in params and is_value_of(space[name], params[name])
            else UNKNOWN
            for name, categories in self.variables.items()
        ]

    def positions(
        self, samples: NDArray[np.intp], shares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the positions of samples.

        Args:
            samples: Categories `[samples, variables]`.
            shares: Places in the bins, `[samples, variables]`, from 0 to below 1.

        Returns:
            Positions in the intervals of the encoding, `[samples, variables]`.
        """
        points = np.empty(samples.shape)
        for i, categories in enumerate(self.variables.values()):
            places = zip(samples[:, i].tolist(), shares[:, i].tolist(), strict=True)
            points[:, i] = [categories.point(category, share) for category, share in places]
        return points
