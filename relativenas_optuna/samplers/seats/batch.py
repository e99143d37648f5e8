"""Create the trials of a whole generation at once, with all their parameters."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from optuna.distributions import check_distribution_compatibility
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState, create_trial

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seats.claims import RESERVED_KEY, Seat, reservation
from relativenas_optuna.samplers.seats.replay import is_same_search
from relativenas_optuna.samplers.seats.trial_reader import TrialReader
from relativenas_optuna.storages.bulk_insert import TrialRows
from relativenas_optuna.storages.interruption import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.seating import Seating

_ATTEMPTS = 20  # against others that create trials at the same moment


class SeatTrial(NamedTuple):
    """A trial that was created for a seat.

    Attributes:
        number: Number of the trial.
        trial_id: Id of the trial.
        seat: The seat.
    """

    number: int
    trial_id: int
    seat: Seat


class Batch:
    """Creator of trials for the free seats of the lowest generation that has any, or for some.

    On a SQL database all trials are created in one transaction, which is repeated if another
    process created trials since the study was read. On other storages the first trial reserves the
    seats of the others. A seat that a trial with a lower number claims is left to that trial. If
    the process dies in between, fewer trials exist and the other seats are free.

    Args:
        study: The study.
        seating: The seating of the study.
        state: RUNNING for a caller that scores the trials; WAITING for workers that pop them.
        detached: True if the trials outlive this process.
        few: True to take only the seats that one worker scores together: those of one pair if
            `Population.has_pairs`, otherwise one seat.
        generations: Number of generations to score; None for no limit.
    """

    def __init__(
        self,
        study: Study,
        seating: Seating,
        state: TrialState,
        *,
        detached: bool,
        few: bool = False,
        generations: int | None = None,
    ) -> None:
        self._study = study
        self._storage = study._storage
        self._seating = seating
        self._replay = seating.replay
        self._state = state
        self._detached = detached
        self._few = few
        self._end = math.inf if generations is None else generations

    def create(self) -> list[SeatTrial]:
        """Create the trials.

        Returns:
            The trials in the order of their numbers.

        Raises:
            SettingsError: The study was started with other settings. Or another sampler suggested
                one of the parameters with an incompatible distribution. Or the trials are WAITING,
                and their parameters are not known.
        """
        try:
            rows = TrialRows(self._storage)
        except TypeError:
            rows = None
        for attempt in range(_ATTEMPTS):
            self._seating.look(self._study)
            population = self._seating.population(self._study)
            free = self._free_seats(population)
            if not free:
                return []
            created = (
                self._reserve_and_create(population, free)
                # Others may create trials all the time, so that no transaction succeeds.
                if rows is None or attempt >= _ATTEMPTS // 2
                else self._create_together(rows, population, free)
            )
            if created:
                return created
        return []

    def _free_seats(self, population: Population) -> list[Seat]:
        started = self._replay.population is not None
        free = self._replay.free_seats() if started else list(population.open_seats())
        free = [seat for seat in free if seat.generation < self._end]
        if free and self._state == TrialState.WAITING and not population.is_space_known(free[0]):
            raise SettingsError(
                f"search_space must be given to {population.sampler} before trials can be "
                f"enqueued, because study {self._study.study_name!r} has no complete generation to "
                f"learn it from; or score the first generation by study.optimize or ask_generation"
            )
        # Trials that are about to claim a seat take the first ones.
        arriving = self._replay.ahead(self._replay.end)
        left = [seat for seat in free if seat.generation == free[0].generation][arriving:]
        if not self._few:
            return left
        return self._pair_of(left) if population.has_pairs else left[:1]

    def _pair_of(self, free: list[Seat]) -> list[Seat]:
        """Return the free seats of one pair.

        It is the first pair whose other seat is free too, or scored. If there is none, another
        worker scores the other seat of the first pair, or that seat is not ready yet.
        """
        first = next(
            (s for s in free if s.partner in free or self._replay.is_scored(s.partner)), None
        )
        first = first or next(iter(free), None)
        return [seat for seat in free if first is not None and seat in (first, first.partner)]

    def _create_together(
        self, rows: TrialRows, population: Population, free: list[Seat]
    ) -> list[SeatTrial]:
        new = self._replay.population is None
        templates = [
            self._template(population, seat, carries=new and seat == free[0]) for seat in free
        ]
        end = self._replay.end
        ids = rows.create(self._study._study_id, templates, end=end)
        self._replay.update(self._study)
        if ids is None:
            return []
        return [SeatTrial(end + i, ids[i], seat) for i, seat in enumerate(free)]

    def _reserve_and_create(self, population: Population, free: list[Seat]) -> list[SeatTrial]:
        *others, own = free  # the last one is the least likely to be taken by others
        replay, new = self._replay, self._replay.population is None
        first = self._make(own, self._template(population, own, carries=new, reserved=others))
        number = first.number
        replay.update(self._study)
        assert replay.population is not None
        lost = self._is_taken(number, own)
        if lost or not is_same_search(replay.population, population):
            # A waiting trial is popped as a worker pops it, since another one may run it by now.
            taken = self._state == TrialState.RUNNING or self._storage.set_trial_state_values(
                first.trial_id, TrialState.RUNNING
            )
            if taken:
                fail(self._storage, [first.trial_id])
            return []
        left = replay.free_seats(but_of=number)[: replay.ahead(number)]  # for arriving trials
        following = [
            self._make(seat, self._template(replay.population, seat))
            for seat in others
            if seat not in left and not self._is_taken(number, seat)
        ]
        if others:
            with suppress(UpdateFinishedTrialError):
                self._storage.set_trial_system_attr(first.trial_id, RESERVED_KEY, None)
        return [first, *following]

    def _is_taken(self, number: int, seat: Seat) -> bool:
        """Return True if a seat belongs to a trial with a lower number, or is scored by now."""
        return self._replay.claimed_before(number, seat) or self._replay.is_scored(seat)

    def _make(self, seat: Seat, template: FrozenTrial) -> SeatTrial:
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        return SeatTrial(self._storage.get_trial_number_from_id(trial_id), trial_id, seat)

    def _template(
        self,
        population: Population,
        seat: Seat,
        *,
        carries: bool = False,
        reserved: Sequence[Seat] = (),
    ) -> FrozenTrial:
        space, params = population.parameters(seat)
        for name, known in self._replay.elsewhere.items():
            if name in space:
                _check_kind(self._study, name, known, space[name])
        carried = population if carries else None
        claim = self._seating.claim(seat, carried, detached=self._detached)
        trial = create_trial(
            state=self._state,
            system_attrs=(reservation(reserved) if reserved else {})
            | claim.attributes()
            | population.settings.constraint_attributes(params),
        )
        # Set afterwards: Optuna refuses some values with steps, which floats represent badly.
        trial.params, trial.distributions = params, space
        return trial


def running_trials(study: Study, created: Sequence[SeatTrial]) -> list[Trial]:
    """Return `optuna.Trial` objects for running trials of a batch, which are read together.

    `Trial(study, trial_id)` would read each trial once more, in seven statements.
    """
    read = TrialReader(study, fresh=False)
    if not all(number in read for number, _, _ in created):
        return [Trial(study, trial_id) for _, trial_id, _ in created]
    known = copy.copy(study)
    known.sampler = RandomSampler()  # the trials have their seats
    handles = []
    for number, trial_id, _ in created:
        known._storage = cast("BaseStorage", _OneTrialStorage(read[number]))
        handle = Trial(known, trial_id)
        handle.study, handle.storage = study, study._storage
        handles.append(handle)
    return handles


class _OneTrialStorage:
    """A storage that holds one trial, which was read before."""

    def __init__(self, trial: FrozenTrial) -> None:
        self._trial = trial

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a copy of the trial, to which its handle may write."""
        assert trial_id == self._trial._trial_id
        copied = copy.copy(self._trial)
        copied.params = dict(copied.params)
        copied.distributions = dict(copied.distributions)
        copied.user_attrs = dict(copied.user_attrs)
        copied.system_attrs = dict(copied.system_attrs)
        copied.intermediate_values = dict(copied.intermediate_values)
        return copied


def _check_kind(
    study: Study, name: str, known: BaseDistribution, distribution: BaseDistribution
) -> None:
    """Raise if a parameter has another kind or other choices than in the study, as Optuna does."""
    try:
        check_distribution_compatibility(known, distribution)
    except ValueError as error:
        raise SettingsError(
            f"search_space[{name!r}] is of another kind, or has other choices, than in the trials "
            f"that study {study.study_name!r} has from another sampler: take its name or "
            f"distribution from there, or a new study"
        ) from error
