"""SeatedSampler: seats for the trials of any sampler of Optuna."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import Trial

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.samplers.seats.sampler import PopulationSampler
from relativenas_optuna.samplers.seats.settings import (
    PopulationArguments,
    PopulationSettings,
    common_settings,
)
from relativenas_optuna.samplers.seats.whole_generations import WholeGeneration, WholeGenerations
from relativenas_optuna.storages.interruption import failed_on_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import optuna
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState

    from relativenas_optuna.samplers.limits.limits import Limits
    from relativenas_optuna.samplers.seats.batch import SeatTrial

_SEEDS = 8  # the purpose of the random numbers that are seeds of the proposing sampler


@dataclass(frozen=True)
class SeatedSettings(PopulationSettings):
    """The settings of a search whose parameters another sampler proposes.

    Attributes:
        proposer: Name of that sampler's class.
    """

    proposer: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return super().to_json() | {"proposer": self.proposer}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SeatedSettings:
        """Return the settings in JSON data; see `PopulationSettings.from_json`."""
        proposer = data["proposer"]
        if not (isinstance(proposer, str) and proposer.isidentifier()):
            raise ValueError("a proposer must be the name of a class")
        return cls(**common_settings(data), proposer=proposer)


@dataclass(frozen=True)
class SeatedArguments(PopulationArguments):
    """Arguments of `SeatedSampler`."""

    proposer: str = ""

    def new_settings(self, study: optuna.Study) -> SeatedSettings:
        """Return the settings of a search that starts in a study."""
        common = super().new_settings(study)
        return SeatedSettings(
            common.population_size,
            common.seed,
            common.space,
            self.proposer,
            limits=common.limits,
        )

    def stored(self, settings: PopulationSettings) -> dict[str, Any]:
        """Return the value of each argument, except the space, by a study's settings."""
        assert isinstance(settings, SeatedSettings)
        return super().stored(settings) | {"proposer": settings.proposer}


class SeatedGeneration(WholeGeneration):
    """A generation whose members are known when they are scored."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the members, `[N, variables]`; NaN for one that is not scored."""
        return self.draw()


class SeatedTrials(WholeGenerations):
    """Generations that only number the trials: a generation opens when one before has a score."""

    sampler = "SeatedSampler"
    settings_class = SeatedSettings

    @property
    def sampler_name(self) -> str:
        """Name of the class of the sampler that proposes the parameters."""
        assert isinstance(self.settings, SeatedSettings)
        return self.settings.proposer

    def positions(self, index: int) -> NDArray[np.float64]:
        """Return the positions of generation `index`; NaN for members that are not scored."""
        unknown = np.full(len(self.encoding.space), np.nan)
        trials = [score.scored_trial for score in self.generations[index].seat_scores]
        return np.array(
            [
                unknown if trial is None else self.encoding.position_of(trial.params, unknown)
                for trial in trials
            ]
        )

    def _within_limits(self, index: int) -> NDArray[np.float64]:
        return self.positions(index)  # the proposing sampler keeps the limits

    def new_generation(self, index: int) -> WholeGeneration:
        """Return generation `index`."""
        generation = super().new_generation(index)
        return SeatedGeneration(index, self.encoding, generation.seat_scores, generation.draw)

    def advance(self) -> None:
        """Open the next generation if the last one has a score, so that no worker waits."""
        while not self.generations or any(s.scored for s in self.generations[-1].seat_scores):
            self.generations.append(self.new_generation(len(self.generations)))

    def open_seats(self) -> list[Seat]:
        """Return the seats of all generations that are not scored."""
        return [
            Seat(generation.index, number)
            for generation in self.generations
            for number, score in enumerate(generation.seat_scores)
            if not score.scored
        ]

    def is_space_known(self, seat: Seat) -> bool:
        """Return True: the worker that runs the trial proposes its parameters."""
        return True

    def parameters(self, seat: Seat) -> tuple[dict[str, BaseDistribution], dict[str, Any]]:
        """Return no parameters: the worker that runs the trial proposes them."""
        return {}, {}


class SeatedSampler(PopulationSampler):
    """A sampler that gives each trial a seat, and lets a sampler of Optuna propose the parameters.

    So workers, failures and restarts are handled as for any population sampler. The proposing
    sampler gets a new seed for each seat, by the seed and the seat alone. A sampler that depends
    only on the study's scored trials, such as `TPESampler`, therefore proposes the same after a
    restart as without one, if one worker searches. `NSGAIISampler` does not, if the restart falls
    into the first trial of a generation.

    Args:
        make: Function that takes a seed, 0 to 2**32 - 1, and returns the proposing sampler.
        search_space: Names and distributions of the parameters.
        population_size: Number of seats in a generation, from 1.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        proposer: Name of the proposing sampler's class.
        limits: Limits that the proposing sampler keeps; None without any.
    """

    population_class = SeatedTrials

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        search_space: Mapping[str, BaseDistribution],
        *,
        population_size: int,
        seed: int,
        proposer: str,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            SeatedArguments(population_size, seed, search_space, proposer, limits=limits)
        )
        self._make = make
        self._seed = seed
        self._proposers: dict[int, BaseSampler] = {}  # by the id of a running trial

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Claim a seat, unless the trial has one, and prepare the proposing sampler."""
        super().before_trial(study, trial)
        with failed_on_error(study, trial):
            self._proposer(study, trial).before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that the proposing sampler proposes together."""
        return self._proposer(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters that the proposing sampler proposes together."""
        return self._proposer(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a parameter that the proposing sampler proposes alone."""
        proposer = self._proposer(study, trial)
        return proposer.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Mark a trial that Ctrl-C ended; the proposing sampler may learn from the trial."""
        super().after_trial(study, trial, state, values)
        self._proposer(study, trial).after_trial(study, trial, state, values)
        self._proposers.pop(trial._trial_id, None)

    def _running(self, study: Study, created: Sequence[SeatTrial]) -> list[Trial]:
        return [Trial(study, trial_id) for _, trial_id, _ in created]

    def _proposer(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        with suppress(KeyError):
            return self._proposers[trial._trial_id]
        with self._lock:
            _, own = self._seated(study, trial)
        assert own.seat is not None
        key = (own.seat.generation, own.seat.number)
        seed = int(keyed_generator(self._seed, _SEEDS, *key).integers(2**32))
        return self._proposers.setdefault(trial._trial_id, self._make(seed))
