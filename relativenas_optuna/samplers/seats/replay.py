"""Replay of a study's trials: a process reads each finished trial once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna._utils.stopwatch import Watch
from relativenas_optuna.samplers.seats.claimed_population import checked_claim, start_population
from relativenas_optuna.samplers.seats.claims import reserved_seats, signs_of_life, warn_of_junk
from relativenas_optuna.samplers.seats.lease import with_its_worker
from relativenas_optuna.samplers.seats.trial_reader import TrialReader

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Claim, Seat
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.settings import PopulationArguments

    _News = tuple[FrozenTrial, Claim | None]


ARRIVAL_AGE = 5.0  # seconds that a new trial is given to claim a seat
_PATIENCE = 4  # younger trials for each member, after which a running trial counts as abandoned


class Replay:
    """The state of a study's search, computed from its trials at the last reading.

    Every process that reads the study at that moment gets the same state.

    Args:
        given: Arguments that this process was given, for functions, which are not stored.

    Attributes:
        population: The generations; None while no trial carries the settings of the search.
        finished: All finished trials.
        claimed: Seats of unfinished trials by trial number, without the trials of dead workers.
        reserved: For each of these trials, the seats reserved for further trials of its process.
        extras: Unfinished extra trials, which have no seat, without those of dead workers.
        own: Seats of the unfinished trials that this process runs, by trial number; None for an
            extra trial.
        dead: Ids of running trials whose worker is known to be gone.
        unsigned: Running trials without parameters and without a claim.
        settings_from: Number of the trial whose claim carries the settings.
        others: True if another sampler scored trials after that one.
        elsewhere: One distribution of each parameter of other samplers' finished trials.
        last_id: Id of the last trial that was read; -1 if there was none.
    """

    def __init__(self, given: PopulationArguments | None = None) -> None:
        self._given = given
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
        """Number of the next trial, by the last reading."""
        return self._read

    @property
    def open_ids(self) -> set[int]:
        """Ids of the trials, by the last reading, that have not ended and may hold a seat."""
        return set(self._open.values()).difference(self.dead)

    @property
    def arriving_ids(self) -> set[int]:
        """Ids of the trials, by the last reading, that may be about to claim a seat."""
        return {t._trial_id for t in self.unsigned if self.age(t) < ARRIVAL_AGE}

    def update(self, study: optuna.Study, *, fresh: bool = True) -> None:
        """Read what is new among the study's trials; see `TrialReader`.

        Raises:
            SettingsError: A sampler that this process does not know started the search.
        """
        trials = TrialReader(study, fresh=fresh)
        known = self._whole and self.settings_from is not None
        if not known or self._first != self._identity(trials):
            self._forget()
        self._whole = False
        end = trials.cut(self._read)
        numbers = sorted([*self._open, *range(self._read, end)])
        self._read = end
        read = [with_its_worker(study._storage, trials[number], self.silence) for number in numbers]
        news = [(trial, checked_claim(trial)) for trial, _ in read]
        self._open = {t.number: t._trial_id for t, _ in news if not t.state.is_finished()}
        self.last_id = trials[end - 1]._trial_id if end else -1
        self.own = {n: seat for n, seat in self.own.items() if n in self._open}
        self._follow_settings(study, trials, news)
        self.claimed, self.reserved, self.extras = {}, {}, []
        self.dead = [trial._trial_id for trial, gone in read if gone]
        self.unsigned = []
        for trial, claim in news:
            if trial._trial_id not in self.dead:
                self._take(trial, self._own_claim(claim))
        self._watch.forget_others(set(self._open.values()))
        for trial in self.unsigned:
            self.age(trial)  # counted from now on
        if self.population is not None:
            self.population.advance()
        self._first = self._identity(trials)
        self._whole = True
        warn_of_junk((trial, c) for trial, c in news if trial.number not in self._looked_at)
        self._looked_at.update(self._open)

    def _own_claim(self, claim: Claim | None) -> Claim | None:
        """Return a claim of the sampler that started the search; None for any other."""
        started = self.population
        foreign = claim is not None and started is not None and claim.sampler != started.sampler
        return None if foreign else claim

    def _take(self, trial: FrozenTrial, claim: Claim | None) -> None:
        running = trial.state == TrialState.RUNNING
        if trial.state.is_finished():
            self.finished.append(trial)
            if claim is None:
                later = trial.number > (self.settings_from or 0)
                self.others |= later and trial.state != TrialState.FAIL
                self.elsewhere |= trial.distributions
            elif self.population is not None and claim.seat is not None:
                self.population.add(trial, claim.seat)
        elif claim is not None and claim.seat is None:
            self.extras.append(trial)
        elif claim is not None and claim.seat is not None:
            self.claimed[trial.number] = claim.seat
            self.reserved[trial.number] = reserved_seats(trial.system_attrs)
        elif running and not trial.params:
            self.unsigned.append(trial)

    def free_seats(self, *, but_of: int | None = None) -> list[Seat]:
        """Return the open seats that no unfinished trial has, in the order to give them out.

        Args:
            but_of: Number of a trial that is ignored.
        """
        if self.population is None:
            return []
        taken = set()
        for number, seat in self.claimed.items():
            if number != but_of:
                taken |= {seat} | self.reserved[number]
        return [seat for seat in self.population.open_seats() if seat not in taken]

    def seat_for(self, number: int, population: Population) -> Seat | None:
        """Return the seat that a trial should take; None for an extra trial.

        If j trials with lower numbers are about to claim a seat, it is the (j + 1)-th free seat.
        If no seat is free and the sampler makes extra trials, the trial is an extra trial, unless a
        running trial was abandoned. If the sampler makes none, it is the seat that has been running
        longest.

        Args:
            number: Number of the trial.
            population: Population of the study, or the one with which the study starts.
        """
        ahead = self.ahead(number)
        if self.population is None:
            ready = list(population.open_seats())
            as_extra = population.makes_extras and ahead >= len(ready)
            return None if as_extra else ready[ahead % len(ready)]
        free = self.free_seats(but_of=number)
        if free:
            return free[min(ahead, len(free) - 1)]
        ready = list(population.open_seats())
        if population.makes_extras:
            return self._abandoned(number, ready)
        running = {n: seat for n, seat in self.claimed.items() if n != number}
        # Seats by trial number: the lowest has been running longest. A seat that was given out
        # twice comes after the others.
        scoring = [running[n] for n in sorted(running) if running[n] in ready]
        # If no trial scores them, another process is about to create trials for all ready seats.
        again = scoring or ready
        return min(again, key=lambda seat: (again.count(seat), again.index(seat)))

    def _abandoned(self, number: int, ready: list[Seat]) -> Seat | None:
        """Return the seat among `ready` whose trial seems to be lost; None if there is none.

        A trial seems lost if there are many younger trials, since nothing else shows that its
        result will never be reported. Without this rule one lost trial would stop the population.
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

        The trial's own start time is not used. It is a local time without a zone, so that another
        clock or time zone, or the end of summer time, would make a new trial look old.
        """
        return self._watch.unchanged(trial._trial_id, trial.datetime_start)

    def silence(self, trial: FrozenTrial) -> float:
        """Return the seconds that this process has seen no new sign of life of a trial's worker."""
        return self._watch.unchanged(trial._trial_id, signs_of_life(trial.system_attrs))

    def ahead(self, number: int) -> int:
        """Return how many trials with lower numbers are about to claim a seat.

        They have been running for a moment and have neither a claim nor a parameter, or were made
        after the last reading. A trial of another sampler may be counted too. That does no harm,
        since a seat that is passed over stays free.
        """
        young = sum(t.number < number and self.age(t) < ARRIVAL_AGE for t in self.unsigned)
        return young + max(number - self._read, 0)

    def is_scored(self, seat: Seat) -> bool:
        """Return True if a seat needs no further trial."""
        return self.population is not None and self.population.is_scored(seat)

    def claimed_before(self, number: int, seat: Seat) -> bool:
        """Return True if an unfinished trial with a lower number claims the same seat."""
        return any(
            n < number and (claimed == seat or seat in self.reserved[n])
            for n, claimed in self.claimed.items()
        )

    def _identity(self, trials: TrialReader) -> tuple[object, ...] | None:
        """Return what identifies the trial that carries the settings.

        On SQLite the next study may get the id of a deleted one, and even the ids of its trials.
        """
        if self.settings_from is None or self.settings_from >= len(trials):
            return None
        trial = trials[self.settings_from]
        return trial._trial_id, trial.datetime_start

    def _follow_settings(self, study: optuna.Study, trials: TrialReader, news: list[_News]) -> None:
        carriers = [
            (trial.number, claim)
            for trial, claim in news
            if claim is not None and claim.settings is not None
        ]
        if not carriers:
            return
        number, carrier = min(carriers, key=lambda numbered: numbered[0])
        if self.settings_from is not None and self.settings_from <= number:
            return
        started = start_population(carrier, study.directions, trials, study.study_name, self._given)
        self.settings_from = number
        if self.population is not None and is_same_search(self.population, started):
            return
        # The first settings seen, or those of a lower number that came late: count all in anew.
        self.population = started
        new = {trial.number for trial, _ in news}
        for trial in trials.all():
            claim = self._own_claim(checked_claim(trial))
            if claim is None or claim.seat is None or trial.number in new:
                continue
            if trial.state.is_finished():
                self.population.add(trial, claim.seat)


def is_same_search(one: Population, other: Population) -> bool:
    """Return True if two populations have the same sampler and the same settings."""
    return one.sampler == other.sampler and one.settings.to_json() == other.settings.to_json()
