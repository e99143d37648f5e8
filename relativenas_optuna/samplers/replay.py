"""A study's trials, followed: each finished trial is read once by a live process."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from optuna.study import StudyDirection

from relativenas_optuna.samplers.claims import Claim, Seat, is_arriving
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
        self._study_name = study.study_name
        self._maximize = study.direction == StudyDirection.MAXIMIZE
        self._read = 0  # trials below this number are finished and counted in, or in `_open`
        self._open: set[int] = set()
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
            elif claim is None:
                if is_arriving(trial.system_attrs):
                    self._arriving.append(trial.number)
            elif is_dead(claim.worker):
                self.dead.append(trial._trial_id)
            else:
                self.claims[trial.number] = claim
        if self.population is not None:
            self.population.advance()

    def seat_for(self, number: int) -> Seat:
        """The seat that trial `number` is to take.

        With j arriving trials of lower numbers it is the (j + 1)-th free seat. Where nothing is
        free the seat is given out again whose trial has been running longest.
        """
        ahead = self.ahead(number)
        if self.population is None:
            return Seat(0, ahead)
        running = {n: claim.seat for n, claim in self.claims.items() if n != number}
        taken = set(running.values())
        free = (seat for seat in self.population.open_seats() if seat not in taken)
        seats = list(islice(free, ahead + 1))
        if seats:
            return seats[-1]
        # Seats of trials by number: the lowest has been running longest. One that was given out
        # again before comes after those that were not.
        scoring = [running[n] for n in sorted(running) if not self.population.is_scored(running[n])]
        assert scoring, "an unscored seat that is ready is either free or running"
        return min(scoring, key=lambda seat: (scoring.count(seat), scoring.index(seat)))

    def ahead(self, number: int) -> int:
        """How many trials of lower numbers are about to claim a seat."""
        return sum(n < number for n in self._arriving)

    def claimed_before(self, number: int, seat: Seat) -> bool:
        """Whether a lower-numbered running trial claims the seat too."""
        return any(n < number and claim.seat == seat for n, claim in self.claims.items())

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
        if settings == self.settings:
            return
        # The first settings seen, or those of a lower number that came late: count all in anew.
        self.population = Population(settings, maximize=self._maximize)
        new = {trial.number for trial, _ in news}
        for trial in trials:
            claim = Claim.read(trial.system_attrs)
            if claim is not None and trial.state.is_finished() and trial.number not in new:
                self.population.add(trial, claim)
