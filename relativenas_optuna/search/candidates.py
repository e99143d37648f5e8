"""The candidates of a search whose generations are scored, and random architectures beside them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.search.choice import RANDOM_ARCHITECTURES
from relativenas_optuna.search.random_architectures import random_architecture
from relativenas_optuna.spaces.protocol import most_likely

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.search.plan import SearchPlan


class Candidates:
    """The candidates of a search, as its generations are now.

    Args:
        population: The generations.
        plan: Plan of the search.
        space: Search space of the plan.
    """

    def __init__(self, population: Population, plan: SearchPlan, space: Any) -> None:
        self._population, self._plan, self.space = population, plan, space

    def best(self, count: int, *, first: int = 0) -> dict[Any, FrozenTrial | None]:
        """Return the best distinct architectures and their best trials, the best first.

        Args:
            count: Largest number of architectures.
            first: Number of the first generation that counts.
        """
        distinct: dict[Any, FrozenTrial | None] = {}
        for trial in self._complete(first=first):
            distinct.setdefault(self.space.genotype(trial.params), trial)
        return dict(islice(distinct.items(), count))

    def visited(self) -> dict[Any, FrozenTrial | None]:
        """Return all architectures that were scored and their best trials, the best first."""
        return self.best(len(self._complete()))

    def trial_of(self, genotype: Any) -> FrozenTrial | None:
        """Return the best trial that scored an architecture; None if no trial did."""
        trials = self._complete()
        return next((t for t in trials if self.space.genotype(t.params) == genotype), None)

    def most_likely(self) -> Any | None:
        """Return the most likely architecture after a search with the sampler "migo"; else None."""
        population, plan = self._population, self._plan
        if not isinstance(population, DistributionPopulation):
            return None
        params = population.most_likely()
        if population.settings.limits:  # the strongest edges may break them
            return self.space.genotype(params)
        marginals = population.marginals(plan.settings.generations)
        probabilities = {
            marginal.name: dict(zip(marginal.values, marginal.probabilities, strict=True))
            for marginal in marginals
        }
        return most_likely(self.space, probabilities, params)

    def random(self) -> Iterator[Any]:
        """Yield the random architectures to compare with; with limits they keep them too."""
        yield from islice(self._drawn((), 0), RANDOM_ARCHITECTURES)

    def more_random(self, count: int) -> Iterator[Any]:
        """Yield further random architectures, which keep the limits too."""
        yield from islice(self._drawn((1,), RANDOM_ARCHITECTURES), count)

    def _drawn(self, key: tuple[int, ...], start: int) -> Iterator[Any]:
        generation = self._plan.settings.generations
        rng = np.random.default_rng([self._plan.seed, generation, *key])
        limited = self._population.settings.within_limits()
        # Numbers beyond the seats of a generation, whose redraws have their own keys.
        number = self._plan.settings.population + start
        while True:
            yield random_architecture(self.space, limited, rng, generation, number)
            number += 1

    def _complete(self, *, first: int = 0) -> list[FrozenTrial]:
        """Return the complete trials of the seats from generation `first` on, the best first."""
        counted = [
            self._population.counted(Seat(generation, number))
            for generation in range(first, self._plan.settings.generations)
            for number in range(self._plan.settings.population)
        ]
        complete = [t for t in counted if t is not None and t.state == TrialState.COMPLETE]
        return sorted(complete, key=lambda trial: (trial.value, trial.number))
