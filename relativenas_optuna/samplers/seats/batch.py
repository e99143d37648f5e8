"""A whole generation at once: one trial for each free seat, parameters and all."""

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
from relativenas_optuna.samplers.seats.replay import population_of
from relativenas_optuna.samplers.seats.trial_reader import TrialReader
from relativenas_optuna.storages.bulk_insert import TrialRows
from relativenas_optuna.storages.interruption import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.relative_nas.population import Population
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.seating import Seating

_ATTEMPTS = 20  # against others that make trials at the same moment


class Made(NamedTuple):
    """A trial that was made for a seat."""

    number: int
    trial_id: int
    seat: Seat


class Batch:
    """Makes trials for all free seats of the lowest generation that has any, or of one pair.

    On a SQL database they are one transaction, which is given up and begun anew where others made
    trials since the study was read. Elsewhere each is one: the first one reserves the seats of the
    others, and gives way to what lower numbers claim; a process that dies in between leaves fewer
    trials, and the other seats free.

    Args:
        study: The study.
        seating: Of the study.
        state: RUNNING, for a caller that scores them; WAITING, for whoever pops them.
        detached: Whether the trials outlive this process.
        pair: Whether to take the seats of one pair alone.
        generations: How many are to be scored; `None` for no end.
    """

    def __init__(
        self,
        study: Study,
        seating: Seating,
        state: TrialState,
        *,
        detached: bool,
        pair: bool = False,
        generations: int | None = None,
    ) -> None:
        self._study = study
        self._storage = study._storage
        self._seating = seating
        self._replay = seating.replay
        self._state = state
        self._detached = detached
        self._pair = pair
        self._end = math.inf if generations is None else generations

    def create(self) -> list[Made]:
        """Make the trials.

        Returns:
            What was made, in the order of the trials' numbers.

        Raises:
            SettingsError: The study was begun with other settings, or has a parameter of another
                kind from another sampler, or the trials are to be WAITING and their parameters are
                not known.
        """
        try:
            rows = TrialRows(self._storage)
        except TypeError:
            rows = None
        for attempt in range(_ATTEMPTS):
            self._seating.look(self._study)
            settings = self._seating.settings(self._study)
            population = self._replay.population or population_of(settings, self._study)
            free = self._free_seats(population)
            if not free:
                return []
            made = (
                self._reserve_and_create(population, free, settings)
                # Where others make trials all the time no moment is free of them.
                if rows is None or attempt >= _ATTEMPTS // 2
                else self._create_together(rows, population, free, settings)
            )
            if made:
                return made
        return []

    def _free_seats(self, population: Population) -> list[Seat]:
        begun = self._replay.population is not None
        free = self._replay.free_seats() if begun else list(population.open_seats())
        free = [seat for seat in free if seat.generation < self._end]
        if free and self._state == TrialState.WAITING and not population.is_space_known(free[0]):
            raise SettingsError(
                f"search_space must be given to RelativeNASSampler before trials can be enqueued, "
                f"for study {self._study.study_name!r} has no complete generation to learn it "
                f"from; or score the first generation by study.optimize or ask_generation"
            )
        # Trials that are about to claim a seat take the first ones.
        arriving = self._replay.ahead(self._replay.end)
        left = [seat for seat in free if seat.generation == free[0].generation][arriving:]
        return self._pair_of(left) if self._pair else left

    def _pair_of(self, free: list[Seat]) -> list[Seat]:
        """The free seats of one pair.

        That is the first one of which the other seat is free too, or scored. Where there is none,
        the other seat of the first is being scored by somebody, or is not ready yet.
        """
        first = next(
            (s for s in free if s.partner in free or self._replay.is_scored(s.partner)), None
        )
        first = first or next(iter(free), None)
        return [seat for seat in free if first is not None and seat in (first, first.partner)]

    def _create_together(
        self, rows: TrialRows, population: Population, free: list[Seat], settings: Settings
    ) -> list[Made]:
        new = self._replay.settings is None
        templates = [
            self._template(population, seat, settings if new and seat == free[0] else None)
            for seat in free
        ]
        end = self._replay.end
        ids = rows.create(self._study._study_id, templates, end=end)
        self._replay.update(self._study)
        if ids is None:
            return []
        return [Made(end + i, ids[i], seat) for i, seat in enumerate(free)]

    def _reserve_and_create(
        self, population: Population, free: list[Seat], settings: Settings
    ) -> list[Made]:
        *others, own = free  # the last one is the least likely to be taken by others
        new = self._replay.settings is None
        first = self._make(own, self._template(population, own, settings if new else None, others))
        number, replay = first.number, self._replay
        replay.update(self._study)
        assert replay.population is not None
        if replay.claimed_before(number, own) or replay.settings != settings:
            # One that waits is taken like a worker takes it, for another one may run it by now.
            taken = self._state == TrialState.RUNNING or self._storage.set_trial_state_values(
                first.trial_id, TrialState.RUNNING
            )
            if taken:
                fail(self._storage, [first.trial_id])
            return []
        left = replay.free_seats(but_of=number)[: replay.ahead(number)]  # for those that arrive
        following = [
            self._make(seat, self._template(replay.population, seat, None))
            for seat in others
            if seat not in left and not replay.claimed_before(number, seat)
        ]
        if others:
            with suppress(UpdateFinishedTrialError):
                self._storage.set_trial_system_attr(first.trial_id, RESERVED_KEY, None)
        return [first, *following]

    def _make(self, seat: Seat, template: FrozenTrial) -> Made:
        trial_id = self._storage.create_new_trial(self._study._study_id, template)
        return Made(self._storage.get_trial_number_from_id(trial_id), trial_id, seat)

    def _template(
        self,
        population: Population,
        seat: Seat,
        settings: Settings | None,
        others: Sequence[Seat] = (),
    ) -> FrozenTrial:
        space, params = population.parameters(seat)
        for name, known in self._replay.elsewhere.items():
            if name in space:
                _check_kind(self._study, name, known, space[name])
        claim = self._seating.claim(seat, settings, detached=self._detached)
        trial = create_trial(
            state=self._state,
            system_attrs=(reservation(others) if others else {}) | claim.attributes(),
        )
        # Later, for Optuna refuses values with steps that no float can represent well enough.
        trial.params, trial.distributions = params, space
        return trial


def running_trials(study: Study, made: Sequence[Made]) -> list[Trial]:
    """Optuna's handles of the running trials that a batch made and read together.

    `Trial(study, trial_id)` would read each of them once more, in seven statements.
    """
    read = TrialReader(study, fresh=False)
    if not all(number in read for number, _, _ in made):
        return [Trial(study, trial_id) for _, trial_id, _ in made]
    known = copy.copy(study)
    known.sampler = RandomSampler()  # the trials have their seats
    handles = []
    for number, trial_id, _ in made:
        known._storage = cast("BaseStorage", _ReadBefore(read[number]))
        handle = Trial(known, trial_id)
        handle.study, handle.storage = study, study._storage
        handles.append(handle)
    return handles


class _ReadBefore:
    """A storage that knows one trial."""

    def __init__(self, trial: FrozenTrial) -> None:
        self._trial = trial

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial, to be written to by its handle."""
        assert trial_id == self._trial._trial_id
        handed = copy.copy(self._trial)
        handed.params = dict(handed.params)
        handed.distributions = dict(handed.distributions)
        handed.user_attrs = dict(handed.user_attrs)
        handed.system_attrs = dict(handed.system_attrs)
        handed.intermediate_values = dict(handed.intermediate_values)
        return handed


def _check_kind(
    study: Study, name: str, known: BaseDistribution, distribution: BaseDistribution
) -> None:
    """Refuse what Optuna refuses: another kind or other choices of a parameter in one study."""
    try:
        check_distribution_compatibility(known, distribution)
    except ValueError as error:
        raise SettingsError(
            f"search_space[{name!r}] is of another kind, or has other choices, than in the trials "
            f"that study {study.study_name!r} has from another sampler: take its name or "
            f"distribution from there, or a new study"
        ) from error
