"""Claim a free seat for a new trial, with or without a lock of the storage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from relativenas_optuna.storages.transactions import database_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.follower import Follower
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.sql_claims import ClaimRows

_ATTEMPTS = 20  # against others that claim the same seats


def claimer_for(follower: Follower, storage: BaseStorage) -> Claimer:
    """Return the object that claims seats in a storage."""
    try:
        database_of(storage)
    except TypeError:
        return ClaimerInOrder(follower)
    from relativenas_optuna.samplers.seats.sql_claims import ClaimRows  # loads sqlalchemy

    return LockingClaimer(follower, ClaimRows(storage))


class Claimer:
    """A base class of objects that claim seats for the trials of one study.

    Args:
        follower: Follower of the study.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Write a claim to a running trial that has none.

        Returns:
            The seat; None for an extra trial, which gets no seat since none is free.
        """
        raise NotImplementedError


class LockingClaimer(Claimer):
    """A claimer for SQL databases, where a transaction ensures that no seat is taken twice.

    It leaves seats to trials with lower numbers that are about to claim one, since their processes
    may use the same database without this lock.
    """

    def __init__(self, follower: Follower, rows: ClaimRows) -> None:
        super().__init__(follower)
        self._rows = rows

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Write a claim to a running trial, under the database's lock; see `Claimer.claim`."""
        replay, number = self._follower.replay, trial.number
        # The trials that `study.ask` read before it made this one suffice: the lock shows the rest.
        self._follower.look(study, for_trial=number, fresh=replay.population is None)
        for attempt in range(_ATTEMPTS):
            population = self._follower.population(study)
            started = replay.population is not None
            free = replay.free_seats(but_of=number) if started else list(population.open_seats())
            if attempt and not free:
                break
            if not free:  # by what was read before the trial was made
                self._follower.look(study, for_trial=number)
                continue
            make = partial(self._attributes, self._follower.carried_by(number, population))
            seat = self._rows.claim(
                study._study_id,
                trial._trial_id,
                free,
                make,
                only_first=not started and attempt < _ATTEMPTS // 2,  # claims may be junk
                later_than=replay.last_id,
                open_ids=replay.open_ids,
                arriving_ids=replay.arriving_ids,
            )
            if seat is not None:
                return seat
            self._follower.look(study, for_trial=number)
        return self._claim_without_lock(study, trial)

    def _attributes(self, carried: Population | None, seat: Seat) -> dict[str, Any]:
        return self._follower.claim(seat, carried).attributes()

    def _claim_without_lock(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Claim a seat that is being scored, or write the claim of an extra trial without a seat.

        It never waits for other trials, whose threads may wait for this one.
        """
        population = self._follower.population(study)
        seat = self._follower.replay.seat_for(trial.number, population)
        carried = self._follower.carried_by(trial.number, population)
        self._follower.claim(seat, carried).write(study._storage, trial._trial_id)
        return seat


class ClaimerInOrder(Claimer):
    """A claimer without a lock: it claims in the order of trial numbers, and checks afterwards."""

    def claim(self, study: Study, trial: FrozenTrial) -> Seat | None:
        """Write a claim to a running trial, and another if it was too late; see `Claimer.claim`."""
        storage, replay, number = study._storage, self._follower.replay, trial.number
        # The trials that `study.ask` read before it made this one suffice if they say enough.
        self._follower.look(study, for_trial=number, fresh=replay.population is None)
        if not replay.population or len(replay.free_seats(but_of=number)) <= replay.ahead(number):
            self._follower.look(study, for_trial=number)
        anew = False
        while True:
            population = self._follower.population(study)
            free = replay.free_seats(but_of=number)
            seat: Seat | None
            if anew and free:  # from the end, since others take the first ones
                seat = free[-1 - replay.ahead(number) % len(free)]
            else:
                seat = replay.seat_for(number, population)
            unsure = seat is not None and (replay.population is None or seat in free)
            carried = self._follower.carried_by(number, population)
            self._follower.claim(seat, carried).write(storage, trial._trial_id)
            alone = replay.ahead(number) == 0 and not anew
            if (alone or not unsure) and replay.population is not None:
                return seat
            replay.update(study)
            # A seat that is given out a second time certainly belongs to another trial too.
            # Waiting for the lower numbers would be waiting for threads that wait for this one.
            if alone or seat is None or not unsure:
                return seat
            # Nobody knows of a seat that was chosen anew, so it gives way to any claim.
            lost = replay.claimed_before(number, seat) or replay.is_scored(seat)
            if not lost and not (anew and seat not in replay.free_seats(but_of=number)):
                return seat
            anew = True
