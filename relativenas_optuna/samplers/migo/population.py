"""Population of MIGO: sweeps drawn from a distribution, replayed from a study's trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.limits.within import fixed_values
from relativenas_optuna.samplers.migo.categories import CategorySpace
from relativenas_optuna.samplers.migo.distribution import Distribution
from relativenas_optuna.samplers.migo.fair_sampling import draw_sweep
from relativenas_optuna.samplers.migo.limited_sampling import LimitedSampling
from relativenas_optuna.samplers.migo.ranking import ranks_of
from relativenas_optuna.samplers.migo.settings import MIGOSettings, exact_in
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.samplers.seats.learned_space import LearnedSpace
from relativenas_optuna.samplers.seats.population import Proposal
from relativenas_optuna.samplers.seats.whole_generations import WholeGenerations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.migo.distribution import Marginal
    from relativenas_optuna.samplers.seats.trial_reader import TrialReader
    from relativenas_optuna.samplers.seats.whole_generations import WholeGeneration

_SWEEPS = 7  # purpose of the random numbers of a sweep


class _State(NamedTuple):
    """State from which a generation is drawn."""

    learned: LearnedSpace
    distribution: Distribution


class DistributionPopulation(WholeGenerations):
    """The sweeps of a MIGO search, replayed from its trials.

    Each generation is one sweep. Its scores, with the parameters that were really scored, move the
    distribution from which the next one is drawn. With fair sampling, a sweep uses the categories
    that are left in uniformly random order. In proportion to their probabilities, good categories
    would meet good ones, and it would be harder to say which of them is good.

    Without a given search space, the first sweep is drawn uniformly, and so are further ones until
    a sweep has a complete trial. From then on the distribution has all parameters of the complete
    trials so far; a new one starts uniform.

    Args:
        settings: Settings of the search.
        directions: Directions of the study.
        trials: Not used.
    """

    sampler = "MIGOSampler"
    settings_class = MIGOSettings
    settings: MIGOSettings

    def __init__(
        self,
        settings: MIGOSettings,
        directions: Sequence[StudyDirection],
        trials: TrialReader | Sequence[FrozenTrial] = (),
    ) -> None:
        super().__init__(settings, directions, trials)
        categories = self._categories(self.encoding)
        self._sampling = (
            None
            if self.limited is None
            else LimitedSampling(self.limited, categories, fixed_values(settings.space or {}))
        )
        start = Distribution.uniform(categories)
        self._start = _State(LearnedSpace(), start)
        self._states: list[_State] = []  # of the generations

    def marginals(self, generation: int) -> list[Marginal]:
        """Return the distribution from which a generation was drawn, by parameter.

        Args:
            generation: Number of the generation, from 0 to that of the newest one.
        """
        return self._states[generation].distribution.marginals()

    def most_likely(self) -> dict[str, Any]:
        """Return the parameters at the most likely category of each variable.

        With limits they are the most likely ones within the limits.
        It is the middle of a bin. Without a given search space there are none before the first
        complete trial.
        """
        newest, sampling = self._states[-1].distribution, self._sampling
        position = newest.most_likely() if sampling is None else sampling.most_likely(newest.theta)
        return self.parameters_at(Proposal(newest.space.encoding, position))

    def positions(self, index: int) -> NDArray[np.float64]:
        """Return the positions of generation `index`, `[N, variables]`."""
        distribution, settings = self._states[index].distribution, self.settings
        random = keyed_generator(settings.seed, _SWEEPS, index)
        weights, uses = distribution.theta, None
        if settings.fair_sampling:
            weights, uses = (weights > 0).astype(np.float64), distribution.uses
        if self._sampling is not None:
            return self._sampling.positions(
                weights, settings.population_size, random, fair=settings.fair_sampling
            )
        sweep = draw_sweep(weights, settings.population_size, random, uses=uses)
        return distribution.space.positions(sweep, random.random(sweep.shape))

    def new_generation(self, index: int) -> WholeGeneration:
        """Return generation `index`; those before it are complete."""
        del self._states[index:]
        self._states.append(self._after(index - 1) if index else self._start)
        self.encoding = self._states[index].distribution.space.encoding
        return super().new_generation(index)

    def searches(self, name: str, distribution: BaseDistribution) -> bool:
        """Return True if a parameter outside the proposals will be part of later ones."""
        return self.settings.space is None and self._states[-1].learned.covers(name, distribution)

    def _after(self, index: int) -> _State:
        """Return the state after the scores of a complete generation."""
        (before, distribution), scores = self._states[index], self.generations[index].seat_scores
        learned = before if self.settings.space is not None else before.extended(scores)
        if learned is not before:
            distribution = distribution.over(self._categories(learned.encoding))
        trials = [score.scored_trial for score in scores]
        params = [trial.params for trial in trials if trial is not None]
        ranks = ranks_of(scores, self.directions)
        possible = None if self._sampling is None else self._sampling.is_possible
        return _State(learned, distribution.updated(params, ranks, self.settings, possible))

    def _categories(self, encoding: Encoding) -> CategorySpace:
        return CategorySpace(encoding, self.settings.bins, exact_in(self.settings.limits))
