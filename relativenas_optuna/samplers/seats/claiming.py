"""How a new trial claims one of the free seats."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.seats.replay import population_of
from relativenas_optuna.storages.transactions import database_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.follower import Following
    from relativenas_optuna.samplers.seats.sql_claims import ClaimRows

_ATTEMPTS = 20  # against others that claim the same seats


def claiming(following: Following, storage: BaseStorage) -> Claiming:
    """The way in which the trials of a storage claim seats."""
    try:
        database_of(storage)
    except TypeError:
        return InOrder(following)
    from relativenas_optuna.samplers.seats.sql_claims import ClaimRows  # loads sqlalchemy

    return UnderLock(following, ClaimRows(storage))


class Claiming:
    """Claims seats for the trials of one study.

    Args:
        following: Of the study.
    """

    def __init__(self, following: Following) -> None:
        self._following = following

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Write a claim to a running trial that has none; returns its seat.

        `None` is an extra trial's, which gets no seat since none is free.
        """
        raise NotImplementedError


class UnderLock(Claiming):
    """On a SQL database: a transaction shows the claims of all others, so no seat is taken twice.

    Lower-numbered trials that arrive are left their seats nevertheless: others may reach the same
    database in another way.
    """

    def __init__(self, following: Following, rows: ClaimRows) -> None:
        super().__init__(following)
        self._rows = rows

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """See `Claiming`."""
        replay, number = self._following.replay, trial.number
        # What `study.ask` read before it made the trial will do: the rest is seen under the lock.
        self._following.look(study, for_trial=number, fresh=replay.settings is None)
        for attempt in range(_ATTEMPTS):
            settings = self._following.settings(study)
            free = self._free_seats(study, settings, number)
            if attempt and not free:
                break
            if not free:  # by what was read before the trial was made
                self._following.look(study, for_trial=number)
                continue
            make = partial(self._attributes, self._following.carried_by(number, settings))
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
            self._following.look(study, for_trial=number)
        return self._claim_without_lock(study, trial)

    def _attributes(self, carried: Settings | None, seat: Seat) -> dict[str, Any]:
        return self._following.claim(seat, carried).attributes()

    def _free_seats(self, study: Study, settings: Settings, number: int) -> list[Seat]:
        """Free seats for a trial, in a search that may begin with it."""
        if self._following.replay.population is None:
            return list(population_of(settings, study).open_seats())
        return self._following.replay.free_seats(but_of=number)

    def _claim_without_lock(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Claim a seat that is being scored, or none as an extra trial, where none is free.

        It never waits for other trials, whose threads may wait for this one.
        """
        settings = self._following.settings(study)
        seat = self._following.replay.seat_for(trial.number, settings)
        carried = self._following.carried_by(trial.number, settings)
        self._following.claim(seat, carried).write(study._storage, trial._trial_id)
        return seat


class InOrder(Claiming):
    """Without a lock: in the order of the trials' numbers, and checked afterwards."""

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """See `Claiming`."""
        storage, replay, number = study._storage, self._following.replay, trial.number
        # What `study.ask` read before it made the trial will do where that says enough.
        self._following.look(study, for_trial=number, fresh=replay.settings is None)
        if replay.settings is None or len(replay.free_seats(but_of=number)) <= replay.ahead(number):
            self._following.look(study, for_trial=number)
        anew = False
        seat: Seat | None
        while True:
            settings = self._following.settings(study)
            free = replay.free_seats(but_of=number)
            if anew and free:  # from the end, for who claims without a look takes the first ones
                seat = free[-1 - replay.ahead(number) % len(free)]
            elif replay.population is None and settings.warm_start:
                # The first seats may have the scores of others.
                ready = list(population_of(settings, study).open_seats())
                seat = ready[replay.ahead(number) % len(ready)]
            else:
                seat = replay.seat_for(number, settings)
            unsure = seat is not None and (replay.population is None or seat in free)
            carried = self._following.carried_by(number, settings)
            self._following.claim(seat, carried).write(storage, trial._trial_id)
            alone = replay.ahead(number) == 0 and not anew
            if (alone or not unsure) and replay.settings is not None:
                return seat
            replay.update(study)
            # A seat that is given out a second time is another's for certain. To wait for the
            # lower numbers would be to wait for threads that wait for this one.
            if alone or seat is None or not unsure:
                return seat
            # Nobody knows of a seat that was chosen anew, so that it gives way to any claim.
            lost = replay.claimed_before(number, seat) or replay.is_scored(seat)
            if not lost and not (anew and seat not in replay.free_seats(but_of=number)):
                return seat
            anew = True
