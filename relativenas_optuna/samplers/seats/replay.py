"""A study's trials, followed: each finished trial is read once by a live process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna._utils.stopwatch import Watch
from relativenas_optuna.samplers.relative_nas.population import Population
from relativenas_optuna.samplers.seats.claims import (
    Claim,
    Seat,
    reserved_seats,
    signs_of_life,
    warn_of_junk,
)
from relativenas_optuna.samplers.seats.lease import with_its_worker
from relativenas_optuna.samplers.seats.trial_reader import TrialReader

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.relative_nas.settings import Settings

    _News = tuple[FrozenTrial, Claim | None]


ARRIVAL_AGE = 5.0  # seconds that a new trial is given to claim a seat
_PATIENCE = 4  # younger trials for each member, after which a running trial counts as abandoned


def population_of(
    settings: Settings, study: optuna.Study, trials: TrialReader | None = None
) -> Population:
    """The population that a study begins with; `trials` are those of the study, if read."""
    if settings.warm_start:
        trials = trials or TrialReader(study)
        known = [trials[n] for n in settings.warm_start if 0 <= n < len(trials)]
        start = [trial for trial in known if trial.state == TrialState.COMPLETE]
    else:
        start = []
    population = Population(settings, study.directions, start)
    population.advance()  # where all of the first generation starts with a score
    return population


class Replay:
    """What a study's trials say of its search.

    Everything here can be read anew from the storage at any moment, and comes out the same.

    Attributes:
        population: The generations; `None` while no trial carries the search's settings.
        finished: All finished trials.
        claimed: The seats of unfinished trials by trial number, those of dead workers left out.
        reserved: Of each of these, the seats that its maker is about to make trials for.
        extras: Unfinished extra trials, which have no seat; those of dead workers left out.
        own: Seats of the unfinished trials that this process runs, by trial number; an extra
            trial's is `None`.
        dead: Ids of running trials whose worker is known to be gone.
        unsigned: Running trials without parameters that do not (yet) say who runs them.
        settings_from: Number of the trial whose claim carries the settings.
        others: Whether another sampler scored trials after that.
        elsewhere: A distribution of each parameter of another sampler's finished trials.
        last_id: Id of the last trial that was read; -1 where there is none.
    """

    def __init__(self) -> None:
        self._watch = Watch()  # by trial id
        self._looked_at: set[int] = set()  # trials that were open, which are read again and again
        self._forget()

    def _forget(self) -> None:
        self._whole = True  # no update was broken off
        self._read = 0  # trials below this number are finished and counted in, or in `_open`
        self._open: dict[int, int] = {}  # ids of unfinished trials by number
        self.last_id = -1
        self._first: tuple[object, ...] | None = None  # tells a study from a later one of its id
        self.settings_from: int | None = None
        self.population: Population | None = None
        self.finished: list[FrozenTrial] = []
        self.own: dict[int, Seat | None] = {}
        self.claimed: dict[int, Seat] = {}
        self.extras: list[FrozenTrial] = []
        self.reserved: dict[int, set[Seat]] = {}
        self.dead: list[int] = []
        self.unsigned: list[FrozenTrial] = []
        self.others = False
        self.elsewhere: dict[str, BaseDistribution] = {}

    @property
    def end(self) -> int:
        """The number of the next trial, by the last reading."""
        return self._read

    @property
    def open_ids(self) -> set[int]:
        """Ids of the trials, by the last reading, that have not ended and may hold a seat."""
        return set(self._open.values()).difference(self.dead)

    @property
    def arriving_ids(self) -> set[int]:
        """Ids of the trials, by the last reading, that may be about to claim a seat."""
        return {t._trial_id for t in self.unsigned if self.age(t) < ARRIVAL_AGE}

    @property
    def settings(self) -> Settings | None:
        """The search's settings: those on the lowest-numbered claim that carries any."""
        return None if self.population is None else self.population.settings

    def update(self, study: optuna.Study, *, fresh: bool = True) -> None:
        """Read what is new among the study's trials; see `TrialReader`."""
        trials = TrialReader(study, fresh=fresh)
        known = self._whole and self.settings_from is not None
        if not known or self._first != self._identity(trials):
            self._forget()
        self._whole = False
        end = trials.cut(self._read)
        numbers = sorted([*self._open, *range(self._read, end)])
        self._read = end
        read = [with_its_worker(study._storage, trials[number], self.silence) for number in numbers]
        news = [(trial, Claim.read(trial.system_attrs)) for trial, _ in read]
        self._open = {t.number: t._trial_id for t, _ in news if not t.state.is_finished()}
        self.last_id = trials[end - 1]._trial_id if end else -1
        self.own = {n: seat for n, seat in self.own.items() if n in self._open}
        self._follow_settings(study, trials, news)
        self.claimed, self.reserved, self.extras = {}, {}, []
        self.dead = [trial._trial_id for trial, gone in read if gone]
        self.unsigned = []
        for trial, claim in news:
            if trial._trial_id not in self.dead:
                self._take(trial, claim)
        self._watch.forget_others(set(self._open.values()))
        for trial in self.unsigned:
            self.age(trial)  # counted from now on
        if self.population is not None:
            self.population.advance()
        self._first = self._identity(trials)
        self._whole = True
        warn_of_junk((trial, c) for trial, c in news if trial.number not in self._looked_at)
        self._looked_at.update(self._open)

    def _take(self, trial: FrozenTrial, claim: Claim | None) -> None:
        running = trial.state == TrialState.RUNNING
        if trial.state.is_finished():
            self.finished.append(trial)
            if claim is None:
                later = trial.number > (self.settings_from or 0)
                self.others |= later and trial.state != TrialState.FAIL
                self.elsewhere |= trial.distributions
            elif self.population is not None:
                self.population.add(trial, claim)
        elif claim is not None and claim.seat is None:
            self.extras.append(trial)
        elif claim is not None and claim.seat is not None:
            self.claimed[trial.number] = claim.seat
            self.reserved[trial.number] = reserved_seats(trial.system_attrs)
        elif running and not trial.params:
            self.unsigned.append(trial)

    def free_seats(self, *, but_of: int | None = None) -> list[Seat]:
        """Open seats that no unfinished trial has, in the order in which they are given out.

        The trial `but_of` is left out of account.
        """
        if self.population is None:
            return []
        taken = set()
        for number, seat in self.claimed.items():
            if number != but_of:
                taken |= {seat} | self.reserved[number]
        return [seat for seat in self.population.open_seats() if seat not in taken]

    def seat_for(self, number: int, settings: Settings) -> Seat | None:
        """Return the seat that trial `number` is to take; `None` makes it an extra trial.

        With j arriving trials of lower numbers it is the (j + 1)-th free seat. Where nothing is
        free, the trial is an extra one with preset "plain", unless a running trial was abandoned;
        with other presets the seat is given out again whose trial has been running longest.
        """
        ahead, size = self.ahead(number), settings.population_size
        if self.population is None:
            return None if settings.makes_extras and ahead >= size else Seat(0, ahead % size)
        free = self.free_seats(but_of=number)
        if free:
            return free[min(ahead, len(free) - 1)]
        ready = list(self.population.open_seats())
        if settings.makes_extras:
            return self._abandoned(number, ready)
        running = {n: seat for n, seat in self.claimed.items() if n != number}
        # Seats of trials by number: the lowest has been running longest. One that was given out
        # again before comes after those that were not.
        scoring = [running[n] for n in sorted(running) if running[n] in ready]
        # With none of them, another process is about to make trials for all that is ready.
        again = scoring or ready
        return min(again, key=lambda seat: (again.count(seat), again.index(seat)))

    def _abandoned(self, number: int, ready: list[Seat]) -> Seat | None:
        """Return the seat among `ready` whose trial nobody seems to run any more; `None`: none.

        Many younger trials are the sign of it: nothing says that a trial was asked for and will
        never be told. Without this its seat would stop the population for good.
        """
        assert self.population is not None
        youngest = dict.fromkeys(ready, -1)
        for other, seat in self.claimed.items():
            if other != number:
                named = {seat, *self.reserved[other]}.intersection(ready)
                youngest.update({seat: max(youngest[seat], other) for seat in named})
        oldest = min(ready, key=lambda seat: youngest[seat], default=None)
        patience = _PATIENCE * self.population.settings.population_size
        return None if oldest is None or number - youngest[oldest] <= patience else oldest

    def age(self, trial: FrozenTrial) -> float:
        """Return the seconds since this process first saw an unsigned trial.

        Not by the trial's own time, which is a local time without a zone: other clocks, time zones
        and the end of summer time would make a new trial old.
        """
        return self._watch.unchanged(trial._trial_id, trial.datetime_start)

    def silence(self, trial: FrozenTrial) -> float:
        """Return the seconds that this process has seen no new sign of life of a trial's worker."""
        return self._watch.unchanged(trial._trial_id, signs_of_life(trial.system_attrs))

    def ahead(self, number: int) -> int:
        """How many trials of lower numbers are about to claim a seat.

        They are running and have neither a seat nor a parameter, since a moment. Those that were
        made after the last reading are among them. One of another sampler may be: that does no
        harm, for a seat that is passed over stays free.
        """
        young = sum(t.number < number and self.age(t) < ARRIVAL_AGE for t in self.unsigned)
        return young + max(number - self._read, 0)

    def is_scored(self, seat: Seat) -> bool:
        """Whether a seat needs no further trial."""
        return self.population is not None and self.population.is_scored(seat)

    def claimed_before(self, number: int, seat: Seat) -> bool:
        """Whether a lower-numbered unfinished trial claims the seat too."""
        return any(
            n < number and (claimed == seat or seat in self.reserved[n])
            for n, claimed in self.claimed.items()
        )

    def _identity(self, trials: TrialReader) -> tuple[object, ...] | None:
        """What the trial that carries the settings is known by.

        A deleted study leaves its id, and even the ids of its trials, to the next one on SQLite.
        """
        if self.settings_from is None or self.settings_from >= len(trials):
            return None
        trial = trials[self.settings_from]
        return trial._trial_id, trial.datetime_start

    def _follow_settings(self, study: optuna.Study, trials: TrialReader, news: list[_News]) -> None:
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
        self.population = population_of(settings, study, trials)
        new = {trial.number for trial, _ in news}
        for trial in trials.all():
            claim = Claim.read(trial.system_attrs)
            if claim is not None and trial.state.is_finished() and trial.number not in new:
                self.population.add(trial, claim)
