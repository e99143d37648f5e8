"""Small search spaces with additive costs, and their architectures by enumeration."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution

from relativenas_optuna.samplers.limits.choices import LimitedChoices
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.spaces import CellSpace
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hypothesis.strategies import DrawFn


@dataclass(frozen=True)
class LimitedSpace:
    """A finite search space with limits.

    Attributes:
        values: Values of each variable by its name.
        limits: The limits.
    """

    values: dict[str, list[Any]]
    limits: Limits

    @property
    def choices(self) -> LimitedChoices:
        """The package's view of the space."""
        return LimitedChoices(self.limits, self.values, {})

    @property
    def architectures(self) -> Iterator[tuple[int, ...]]:
        """All architectures, as the index of the value of each variable."""
        return itertools.product(*map(range, map(len, self.values.values())))

    def params(self, chosen: Sequence[int]) -> dict[str, Any]:
        """Return the parameters of an architecture."""
        known = zip(self.values.items(), chosen, strict=True)
        return {name: values[index] for (name, values), index in known}

    def keeps(self, chosen: Sequence[int]) -> bool:
        """Return True if an architecture keeps all limits, by the sums of its costs."""
        params = self.params(chosen)
        return all(limit.of(params) <= limit.at_most for limit in self.limits.by_name.values())


@st.composite
def limited_spaces(draw: DrawFn, most_limits: int = 2, whole: bool = True) -> LimitedSpace:
    """Draw a space of two to five variables with costs over one or two of them each."""
    sizes = draw(st.lists(st.integers(2, 4), min_size=2, max_size=5))
    values = {f"x{i}": [f"v{k}" for k in range(size)] for i, size in enumerate(sizes)}
    cost = st.integers(0, 9).map(float) if whole else st.floats(0, 9)
    by_name = {}
    for number in range(draw(st.integers(1, most_limits))):
        terms = []
        for _ in range(draw(st.integers(1, 4))):
            names = tuple(draw(st.sets(st.sampled_from(list(values)), min_size=1, max_size=2)))
            combinations = itertools.product(*(values[name] for name in names))
            terms.append(CostTerm(names, {c: draw(cost) for c in combinations}))
        total = AdditiveCost(draw(cost), tuple(terms))
        at_most = draw(st.integers(1, 30).map(float) if whole else st.floats(0.5, 30))
        by_name[f"cost{number}"] = Limit(total, at_most)
    return LimitedSpace(values, Limits(by_name))


CELLS: Mapping[str, CategoricalDistribution] = CellSpace().distributions
PARTS = dict(zip(CellSpace().operations, [0, 0, 0, 14_688, 27_200, 8_500, 15_300], strict=True))


def cell_cost() -> AdditiveCost:
    """Return a cost of the cell space like its number of parameters: one term for each edge."""
    names = list(CELLS)
    terms = []
    for read, operation in zip(names[::2], names[1::2], strict=True):
        costs = {}
        for number, name in itertools.product(CELLS[read].choices, PARTS):
            reduced = name == "skip_connect" and read.startswith("reduce") and number in (0, 1)
            costs[number, name] = float(PARTS[name] + 288 * reduced)
        terms.append(CostTerm((read, operation), costs))
    return AdditiveCost(10_000.0, tuple(terms))


def random_cells(number: int, seed: int) -> list[dict[str, Any]]:
    """Return the parameters of random architectures of the cell space."""
    random = np.random.default_rng(seed)
    return [
        {n: d.choices[int(random.integers(len(d.choices)))] for n, d in CELLS.items()}
        for _ in range(number)
    ]
