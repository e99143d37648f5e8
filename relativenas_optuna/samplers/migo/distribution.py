"""The distribution from which MIGO draws a sweep, and its update by the scores of the sweep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from relativenas_optuna.samplers.migo.fair_sampling import uses_of
from relativenas_optuna.samplers.migo.natural_gradient import (
    log_utilities,
    pruned,
    uniform,
    updated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.migo.categories import CategorySpace
    from relativenas_optuna.samplers.migo.settings import MIGOSettings

    Vector = NDArray[np.float64]


class Marginal(NamedTuple):
    """The distribution of one parameter.

    Attributes:
        name: Name of the parameter.
        values: The parameter's values; for a bin of several values its lowest and highest value.
        probabilities: Probability of each of `values`; they sum to 1. It is 0 for a value that was
            pruned.
    """

    name: str
    values: tuple[Any, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Distribution:
    """A product of categorical distributions, one for each variable, and its momentum.

    Attributes:
        space: Categories of the variables.
        theta: Probabilities of the categories, `[variables, most]`, see `natural_gradient`.
        velocity: Velocity of `theta`, `[variables, most]`; its rows sum to 0.
        uses: How many scored trials had each category, `[variables, most]`.
        updates: Number of updates so far.
    """

    space: CategorySpace
    theta: Vector
    velocity: Vector
    uses: NDArray[np.intp]
    updates: int = 0

    @classmethod
    def uniform(cls, space: CategorySpace) -> Distribution:
        """Return the distribution with which a search starts."""
        theta = uniform(space.counts)
        return cls(space, theta, np.zeros_like(theta), np.zeros(theta.shape, dtype=np.intp))

    def over(self, space: CategorySpace) -> Distribution:
        """Return this distribution over other variables; new ones are uniform."""
        start = Distribution.uniform(space)
        place = {name: i for i, name in enumerate(self.space.variables)}
        for i, name in enumerate(space.variables):
            if name in place:
                count = space.counts[i]
                for new, old in zip(start._arrays, self._arrays, strict=True):
                    new[i, :count] = old[place[name], :count]
        return replace(start, updates=self.updates)

    def updated(
        self,
        params: Sequence[Mapping[str, Any]],
        ranks: Sequence[int],
        settings: MIGOSettings,
        is_possible: Callable[[NDArray[np.bool_]], bool] | None = None,
    ) -> Distribution:
        """Return the distribution after the scores of a sweep.

        Args:
            params: Parameters that were scored, some of which may be missing or invalid.
            ranks: Rank of each of them, lower for a better one.
            settings: Settings of the search.
            is_possible: Function that returns True if an architecture of some categories
                `[variables, most]` keeps the limits of the search; None without limits.

        Returns:
            A distribution with the same probabilities if all ranks are equal.
        """
        samples = np.array(list(map(self.space.sample_of, params)), dtype=np.intp)
        uses = self.uses + uses_of(samples, self.uses.shape)
        moved = updated(
            self.theta,
            self.velocity,
            samples,
            log_utilities(ranks),
            step=settings.step,
            momentum=settings.momentum,
        )
        if moved is None:
            return replace(self, uses=uses)
        updates, interval = self.updates + 1, settings.pruning_interval
        if interval and updates % interval == 0:
            moved = pruned(*moved, is_possible)
        return Distribution(self.space, *moved, uses, updates)

    @property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.theta, self.velocity, self.uses

    def marginals(self) -> list[Marginal]:
        """Return the distribution of each parameter."""
        rows = zip(self.space.variables.items(), self.space.counts, self.theta, strict=True)
        return [
            Marginal(name, categories.labels, tuple(row[:count].tolist()))
            for (name, categories), count, row in rows
        ]

    def most_likely(self) -> Vector:
        """Return the position `[variables]` with the most likely category of each variable.

        It is the middle of a bin.
        """
        best = self.theta.argmax(axis=1)[None]
        position: Vector = self.space.positions(best, np.full(best.shape, 0.5))[0]
        return position
