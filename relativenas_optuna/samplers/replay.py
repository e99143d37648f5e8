"""A study's trials, followed: each finished trial is read once by a live process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.claims import Claim, Seat, is_arriving, worker_of
from relativenas_optuna.samplers.generations import Population
from relativenas_optuna.samplers.worker import is_dead

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.settings import Settings

    _News = tuple[FrozenTrial, Claim | None]


class Replay:
    """What a study's trials say of its search.

    Everything here can be read anew from the storage at any moment, and comes out the same.

    Attributes:
        population: The generations; `None` while no trial carries the search's settings.
        claims: The claims of unfinished trials by trial number, those of dead workers left out.
        own: Seats of the unfinished trials that this process runs, by trial number.
        dead: Ids of running trials whose worker is known to be gone.
        settings_from: Number of the trial whose claim carries the settings.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._forget(study)

    def _forget(self, study: optuna.Study) -> None:
        self._maximize = study.direction == StudyDirection.MAXIMIZE
        self._whole = True  # no update was broken off
        self._read = 0  # trials below this number are finished and counted in, or in `_open`
        self._open: set[int] = set()
        self._first: tuple[object, ...] | None = None  # tells a study from a later one of its id
        self.settings_from: int | None = None
        self._arriving: list[int] = []
        self.population: Population | None = None
        self.own: dict[int, Seat] = {}
        self.claims: dict[int, Claim] = {}
        self.dead: list[int] = []

    @property
    def settings(self) -> Settings | None:
        """The search's settings: those on the lowest-numbered claim that carries any."""
        return None if self.population is None else self.population.settings

    def update(self, study: optuna.Study) -> None:
        """Read what is new among the study's trials."""
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        known = self._whole and self.settings_from is not None
        if not known or self._first != self._identity(trials):
            self._forget(study)
        self._whole = False
        numbers = sorted([*self._open, *range(self._read, len(trials))])
        self._read = len(trials)
        news = [(trials[n], Claim.read(trials[n].system_attrs)) for n in numbers]
        self._open = {t.number for t, _ in news if not t.state.is_finished()}
        self.own = {n: seat for n, seat in self.own.items() if n in self._open}
        self._follow_settings(trials, news)
        self.claims, self.dead, self._arriving = {}, [], []
        for trial, claim in news:
            if trial.state.is_finished():
                if claim is not None and self.population is not None:
                    self.population.add(trial, claim)
            elif trial.state == TrialState.RUNNING and is_dead(worker_of(trial.system_attrs)):
                self.dead.append(trial._trial_id)
            elif claim is not None:
                self.claims[trial.number] = claim
            elif trial.state == TrialState.RUNNING and is_arriving(trial.system_attrs):
                self._arriving.append(trial.number)
        if self.population is not None:
            self.population.advance()
        self._first = self._identity(trials)
        self._whole = True

    def seat_for(self, number: int, population_size: int) -> Seat:
        """The seat that trial `number` is to take.

        With j arriving trials of lower numbers it is the (j + 1)-th free seat. Where nothing is
        free the seat is given out again whose trial has been running longest.
        """
        ahead = self.ahead(number)
        if self.population is None:
            return Seat(0, ahead % population_size)
        running = {n: claim.seat for n, claim in self.claims.items() if n != number}
        taken = set(running.values())
        ready = list(self.population.open_seats())
        free = [seat for seat in ready if seat not in taken]
        if free:
            return free[min(ahead, len(free) - 1)]
        # Seats of trials by number: the lowest has been running longest. One that was given out
        # again before comes after those that were not.
        scoring = [running[n] for n in sorted(running) if running[n] in ready]
        assert scoring, "an unscored seat that is ready is either free or running"
        return min(scoring, key=lambda seat: (scoring.count(seat), scoring.index(seat)))

    def ahead(self, number: int) -> int:
        """How many trials of lower numbers are about to claim a seat."""
        return sum(n < number for n in self._arriving)

    def claimed_before(self, number: int, seat: Seat) -> bool:
        """Whether a lower-numbered running trial claims the seat too."""
        return any(n < number and claim.seat == seat for n, claim in self.claims.items())

    def _identity(self, trials: list[FrozenTrial]) -> tuple[object, ...] | None:
        """What the trial that carries the settings is known by.

        A deleted study leaves its id, and even the ids of its trials, to the next one on SQLite.
        """
        if self.settings_from is None or self.settings_from >= len(trials):
            return None
        trial = trials[self.settings_from]
        return trial._trial_id, trial.datetime_start

    def _follow_settings(self, trials: list[FrozenTrial], news: list[_News]) -> None:
        carriers = [
            (trial.number, claim.settings)
            for trial, claim in news
            if claim is not None and claim.settings is not None
        ]
        if not carriers:
            return
        number, settings = min(carriers, key=lambda carrier: carrier[0])
        if self.settings_from is not None and self.settings_from <= number:
            return
        self.settings_from = number
        if self.settings is not None and settings.to_json() == self.settings.to_json():
            return
        # The first settings seen, or those of a lower number that came late: count all in anew.
        self.population = Population(settings, maximize=self._maximize)
        new = {trial.number for trial, _ in news}
        for trial in trials:
            claim = Claim.read(trial.system_attrs)
            if claim is not None and trial.state.is_finished() and trial.number not in new:
                self.population.add(trial, claim)
