"""RegularizedEvolutionSampler: evolution that replaces the oldest trial, as a sampler of Optuna."""

from __future__ import annotations

from copy import copy
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import cell, decode, finite_count, interval
from relativenas_optuna.samplers.limits.limits import limits_of
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator, name_key
from relativenas_optuna.samplers.seats.settings import (
    PopulationArguments,
    PopulationSettings,
    is_whole,
    random_seed,
)
from relativenas_optuna.samplers.trial_losses import best_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.limits.limits import Limits
    from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction, Limit

    Vector = NDArray[np.float64]

_PURPOSE = 10  # of the random numbers of this sampler
_ATTEMPTS = 100  # mutations to find one within the limits


class RegularizedEvolutionSampler(BaseSampler):
    """Sampler that mutates the best of some recent trials (Real et al., AAAI 2019).

    The population consists of the latest `population_size` complete trials. Each new trial replaces
    the oldest one, however good the oldest one is. The first trials are drawn uniformly. Then each
    trial is a mutation of the best of `tournament_size` different members, drawn at random. A
    mutation gives one parameter another value. With the default sizes the parent is the best of the
    latest ten trials. On NAS-Bench-201 this is better than larger populations.

    The study is the only state. The random numbers depend only on the seed and on the number of the
    trial. So any process can continue a study, and with one worker the proposals are the same.

    Args:
        search_space: Names and distributions of all parameters.
        population_size: Number of members of the population, at least 1.
        tournament_size: Number of members of a tournament, whose best member is the parent, 1 to
            `population_size`. By default 10, or `population_size` if it is less.
        seed: Seed of all random numbers, 0 to 2**32 - 1. By default random.
        limits: Largest allowed costs by name, which every proposal keeps; see `RelativeNASSampler`.
        costs: Costs by name, at least those in `limits`.

    Raises:
        SettingsError: An argument is out of range, or no architecture keeps the limits.

    Example:
        >>> import optuna
        >>> from optuna.distributions import IntDistribution
        >>> space = {"x": IntDistribution(-4, 5)}
        >>> sampler = RegularizedEvolutionSampler(space, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_int("x", -4, 5) ** 2, n_trials=40)
        >>> study.best_value
        0.0
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution],
        *,
        population_size: int = 10,
        tournament_size: int | None = None,
        seed: int | None = None,
        limits: Mapping[str, float | Limit] | None = None,
        costs: Mapping[str, AdditiveCost | CostFunction] | None = None,
    ) -> None:
        given = limits_of(limits, costs)
        arguments = PopulationArguments(population_size, seed, search_space, limits=given)
        arguments.check_limits()
        if tournament_size is None:
            tournament_size = min(10, population_size)
        if not is_whole(tournament_size) or not 1 <= tournament_size <= population_size:
            raise SettingsError(
                f"tournament_size must be a whole number from 1 to population_size, which is "
                f"{population_size}; got {tournament_size!r}"
            )
        self._settings = PopulationSettings(
            population_size,
            random_seed() if seed is None else seed,
            dict(search_space),
            limits=given,
        )
        self._encoding = Encoding.of(search_space)
        self._tournament = tournament_size
        self._limited = self._settings.within_limits()
        self._key: tuple[int, ...] | None = None  # of the random numbers; None for a trial's number
        self._n_startup_trials = population_size

    @property
    def limits(self) -> Limits | None:
        """The limits that every proposal keeps; None without any."""
        return self._settings.limits

    def with_key(self, *key: int) -> RegularizedEvolutionSampler:
        """Return this sampler for one trial, with random numbers by a key.

        Args:
            key: Numbers of at least 0 that replace the seed and the trial's number.
        """
        keyed = copy(self)
        keyed._key = key
        return keyed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters of the search space with more than one value."""
        return dict(self._encoding.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of a random architecture, or of a mutation."""
        if not search_space:
            return {}
        proposed = self._encoding.decode(self._position(study, trial))
        return {name: proposed[name] for name in search_space}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of a parameter outside the search space, drawn uniformly."""
        low, high = interval(param_distribution)
        share = self._random(trial, 1, name_key(param_name)).random()
        return decode(param_distribution, low + share * (high - low))

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Store how far the costs of a trial are from the limits."""
        for key, value in self._settings.constraint_attributes(trial.params).items():
            study._storage.set_trial_system_attr(trial._trial_id, key, value)

    def _random(self, trial: FrozenTrial, *purpose: int) -> np.random.Generator:
        key = (self._settings.seed, trial.number) if self._key is None else self._key
        return keyed_generator(key[0], _PURPOSE, *key[1:], *purpose)

    def _position(self, study: Study, trial: FrozenTrial) -> Vector:
        """Return the position to score, `[variables]`."""
        random, encoding = self._random(trial, 0), self._encoding
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        size = self._settings.population_size
        latest = (one for one in reversed(complete) if encoding.describes(one.params))
        population = list(islice(latest, size))
        if len(population) < size:
            width = encoding.high - encoding.low
            position: Vector = encoding.low + random.random(len(width)) * width
            if self._limited is None:
                return position
            return self._limited.drawn(position, *random.integers(2**32, size=2).tolist())
        drawn = random.choice(size, self._tournament, replace=False)
        members = [population[i] for i in drawn.tolist()]
        parent = best_first(members, study.directions)[0]
        start = encoding.position_of(parent.params, encoding.low)
        child = self._mutated(start, random)
        if self._limited is None:
            return child
        for _ in range(_ATTEMPTS):
            if self._limited.keep(child):
                return child
            child = self._mutated(start, random)
        return self._limited.nearest(child, start)

    def _mutated(self, position: Vector, random: np.random.Generator) -> Vector:
        """Return a position with another value of one variable, drawn uniformly."""
        mutated = position.copy()
        variable = int(random.integers(len(position)))
        distribution = list(self._encoding.space.values())[variable]
        low, high = interval(distribution)
        count = finite_count(distribution)
        if count is None:
            mutated[variable] = low + random.random() * (high - low)
            return mutated
        index = int(self._encoding.indices(position)[variable])
        other = int(random.integers(count - 1))
        first, end = cell(distribution, other + (other >= index))
        mutated[variable] = (first + end) / 2
        return mutated
