"""How a trial takes a seat among any number of workers, without a lock and without waiting."""

from __future__ import annotations

import copy
import secrets
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.trial import TrialState

from relativenas_optuna.samplers.claims import (
    CLAIM_KEY,
    Claim,
    Seat,
    retries_of,
)
from relativenas_optuna.samplers.comparison import best_first
from relativenas_optuna.samplers.interruption import fail
from relativenas_optuna.samplers.lease import LeaseKeeper, is_gone, needs_lease, now
from relativenas_optuna.samplers.replay import Replay, population_of
from relativenas_optuna.samplers.sql import database_of
from relativenas_optuna.samplers.worker import this_worker

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.claim_rows import ClaimRows
    from relativenas_optuna.samplers.settings import Arguments, Settings

STILLBORN_AGE = 600.0  # seconds; another sampler's trial may be as long without a parameter
_ATTEMPTS = 20  # against others that claim the same seats
RECENT = 0.05  # seconds since a trial was made in which what was read before it is not old


class Seating:
    """Takes seats of one study for the trials of this process.

    Args:
        study: The study.
        asked: What the sampler was asked for.
    """

    def __init__(self, study: Study, asked: Arguments) -> None:
        self.replay = Replay()
        self._asked = asked
        self._agreed: Settings | None = None  # the last settings that were checked
        self._checked_heartbeats = time.monotonic()
        self._lease: LeaseKeeper | None = None
        if needs_lease(study._storage):
            self._lease = LeaseKeeper(study._storage, lambda: list(self._ids.values()))
        self._ids: dict[int, int] = {}
        self._rows = _claim_rows(study._storage)

    def take(self, study: Study, trial: FrozenTrial, claim: Claim | None) -> Seat:
        """The seat of a running trial, whose `claim` the storage has, or that is to make one."""
        if claim is None:
            claim_seat = self._claim_in_order if self._rows is None else self._claim_under_lock
            seat, leased = claim_seat(study, trial), True
        else:
            seat = claim.seat
            strange = trial.number not in self.replay.own and claim.worker != this_worker()
            if strange and trial.state == TrialState.RUNNING:
                # It waited with its seat, as a retried trial of a dead worker does.
                taken = self.claim(seat, claim.settings)
                taken.write(study._storage, trial._trial_id, retries_of(trial.system_attrs))
            leased = strange or claim.worker == this_worker()
        if trial.state == TrialState.RUNNING:
            self.runs(trial.number, trial._trial_id, seat, leased=leased)
        return seat

    def runs(self, number: int, trial_id: int, seat: Seat, *, leased: bool) -> None:
        """Note that this process runs a trial, and whether it is to say so again and again."""
        own = self.replay.own
        own[number] = seat
        self._ids = {n: i for n, i in self._ids.items() if n in own}
        if leased and self._lease is not None:
            self._ids[number] = trial_id
            self._lease.begin(trial_id)

    def claim(self, seat: Seat, settings: Settings | None, *, detached: bool = False) -> Claim:
        """A claim of this process, or one that outlives it."""
        if detached:
            return Claim(seat, {}, settings)
        return Claim(seat, this_worker(), settings, signed=self._signed)

    def look(self, study: Study, *, for_trial: int | None = None, fresh: bool = True) -> None:
        """Read what is new, and end the trials of workers that are gone.

        The trial `for_trial` is about to claim a seat.
        """
        storage = study._storage
        self.replay.update(study, fresh=fresh)
        fail(storage, self._stillborn(for_trial))
        # Once more, for a worker may have told its last trial, or let it go, and ended, after we
        # read.
        dead = [i for i in self.replay.dead if _is_left(storage.get_trial(i))]
        if len(dead) < len(self.replay.dead):
            self.replay.update(study)
        if not is_heartbeat_enabled(storage):
            fail(storage, dead)
            return
        assert isinstance(storage, BaseHeartbeat)
        stale = self._stale(storage, study._study_id)
        ended = fail(storage, dict.fromkeys([*dead, *stale]))
        # What Optuna does for those that it finds itself.
        callback = storage.get_heartbeat_stale_trial_callback()
        if callback is None:
            return
        for trial_id in ended:
            callback(study, copy.deepcopy(storage.get_trial(trial_id)))
        if ended:
            self.replay.update(study)  # a retried copy waits with the seat

    def settings(self, study: Study) -> Settings:
        """The search's settings: those that the study has, or new ones.

        Raises:
            SettingsError: The sampler was asked for others.
        """
        begun = self.replay.settings
        if begun is None:
            new = self._asked.begin(secrets.randbits(32))
            if self._asked.warm_start:
                new = replace(new, warm_start=_best_of(study, new.population_size))
            return new
        if begun is not self._agreed:
            self._asked.check_agrees_with(begun, study.study_name)
            self._agreed = begun
        return begun

    def carried_by(self, number: int, settings: Settings) -> Settings | None:
        """The settings that trial `number` has to carry, since no earlier one does."""
        carrier = self.replay.settings_from
        return None if carrier is not None and carrier < number else settings

    def _claim_under_lock(self, study: Study, trial: FrozenTrial) -> Seat:
        """Where a transaction shows the claims of all others, no seat is taken twice.

        Lower-numbered trials that arrive are left their seats nevertheless: others may reach the
        same database in another way.
        """
        assert self._rows is not None
        replay, number = self.replay, trial.number
        # What `study.ask` read before it made the trial will do: the rest is seen under the lock.
        self.look(study, for_trial=number, fresh=replay.settings is None)
        for attempt in range(_ATTEMPTS):
            settings = self.settings(study)
            free = self._free_seats(study, settings, number)
            if attempt and not free:
                break
            make = partial(self._attributes, self.carried_by(number, settings))
            unbegun = replay.settings is None and attempt < _ATTEMPTS // 2  # claims may be junk
            seat = self._rows.claim(
                study._study_id,
                trial._trial_id,
                free,
                make,
                only_first=unbegun,
                later_than=replay.last_id,
                open_ids=replay.open_ids,
                arriving_ids=replay.arriving_ids,
            )
            if seat is not None:
                return seat
            self.look(study, for_trial=number)
        return self._claim_again(study, trial)

    def _attributes(self, carried: Settings | None, seat: Seat) -> dict[str, Any]:
        return self.claim(seat, carried).attributes()

    def _free_seats(self, study: Study, settings: Settings, number: int) -> list[Seat]:
        """Free seats for a trial, in a search that may begin with it."""
        if self.replay.population is None:
            return list(population_of(settings, study).open_seats())
        return self.replay.free_seats(but_of=number)

    def _claim_again(self, study: Study, trial: FrozenTrial) -> Seat:
        """Where nothing is free: a seat that is given out a second time is another's for certain.

        To wait for others would be to wait for threads that wait for this one.
        """
        settings = self.settings(study)
        seat = self.replay.seat_for(trial.number, settings.population_size)
        carried = self.carried_by(trial.number, settings)
        self.claim(seat, carried).write(study._storage, trial._trial_id)
        return seat

    def _claim_in_order(self, study: Study, trial: FrozenTrial) -> Seat:
        """Without a lock: in the order of the trials' numbers, and checked afterwards."""
        storage, replay, number = study._storage, self.replay, trial.number
        # What `study.ask` read before it made the trial will do where that says enough; but the
        # first reading of a process takes so long that it is old when it ends.
        fresh = replay.settings is None or replay.age(trial) > RECENT
        self.look(study, for_trial=number, fresh=fresh)
        if replay.settings is None or len(replay.free_seats(but_of=number)) <= replay.ahead(number):
            self.look(study, for_trial=number)
        anew = False
        while True:
            settings = self.settings(study)
            free = replay.free_seats(but_of=number)
            if anew and free:  # from the end, for who claims without a look takes the first ones
                seat = free[-1 - replay.ahead(number) % len(free)]
            elif replay.population is None and settings.warm_start:
                # The first seats may have the scores of others.
                ready = list(population_of(settings, study).open_seats())
                seat = ready[replay.ahead(number) % len(ready)]
            else:
                seat = replay.seat_for(number, settings.population_size)
            again = replay.population is not None and seat not in free
            carried = self.carried_by(number, settings)
            self.claim(seat, carried).write(storage, trial._trial_id)
            alone = replay.ahead(number) == 0 and not anew
            if (alone or again) and replay.settings is not None:
                return seat
            replay.update(study)
            # A seat that is given out a second time is another's for certain. To wait for the
            # lower numbers would be to wait for threads that wait for this one.
            if alone or again:
                return seat
            # Nobody knows of a seat that was chosen anew, so that it gives way to any claim.
            lost = replay.claimed_before(number, seat) or replay.is_scored(seat)
            if not lost and not (anew and seat not in replay.free_seats(but_of=number)):
                return seat
            anew = True

    @property
    def _signed(self) -> float | None:
        return None if self._lease is None else now()

    def _stale(self, storage: BaseHeartbeat, study_id: int) -> list[int]:
        """Running trials without a heartbeat; looked for no more often than hearts beat."""
        interval = storage.get_heartbeat_interval()
        if interval is None or time.monotonic() - self._checked_heartbeats < interval:
            return []
        self._checked_heartbeats = time.monotonic()
        return storage._get_stale_trial_ids(study_id)

    def _stillborn(self, but: int | None) -> list[int]:
        """Trials whose process died before it could sign them.

        Optuna makes a trial RUNNING a moment before its sampler hears of it. Where others write to
        the study too, an empty trial may be theirs.
        """
        if self.replay.others or not self.replay.unsigned:
            return []
        return [
            trial._trial_id
            for trial in self.replay.unsigned
            if trial.number != but
            and not trial.intermediate_values
            and self.replay.age(trial) > STILLBORN_AGE
        ]


def _claim_rows(storage: BaseStorage) -> ClaimRows | None:
    try:
        database_of(storage)
    except TypeError:
        return None
    from relativenas_optuna.samplers.claim_rows import ClaimRows  # loads sqlalchemy

    return ClaimRows(storage)


def _is_left(trial: FrozenTrial) -> bool:
    """Whether a trial still runs whose worker is known to be gone."""
    return trial.state == TrialState.RUNNING and is_gone(trial)


def _best_of(study: Study, number: int) -> tuple[int, ...]:
    """Numbers of the best complete trials of others, at most `number`."""
    trials = [
        trial
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if CLAIM_KEY not in trial.system_attrs
    ]
    return tuple(trial.number for trial in best_first(trials, study.directions)[:number])
