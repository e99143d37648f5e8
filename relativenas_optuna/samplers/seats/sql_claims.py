"""Claim seats on a SQL database under one lock, so that no seat is taken twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from sqlalchemy import and_, bindparam, column, delete, insert, or_, select, table
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, RESERVED_KEY, seats_named
from relativenas_optuna.storages.transactions import database_of, persist

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from optuna.storages import BaseStorage
    from sqlalchemy.engine import Connection

    from relativenas_optuna.samplers.seats.claims import Seat

_RUNNING = "RUNNING"

# Tables of Optuna's schema, which changes less often than Optuna's classes for them.
_STUDIES = table("studies", column("study_id"))
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("state"))
_ATTRIBUTES = table(
    "trial_system_attributes", column("trial_id"), column("key"), column("value_json")
)
_LOCK = (
    select(_TRIALS.c.state)
    .join(_STUDIES, _STUDIES.c.study_id == _TRIALS.c.study_id)
    .where(_TRIALS.c.trial_id == bindparam("trial_id"))
    .with_for_update()
)
_OTHERS = (
    select(_TRIALS.c.trial_id, _TRIALS.c.state, _ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json)
    .outerjoin(
        _ATTRIBUTES,
        and_(
            _ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id,
            _ATTRIBUTES.c.key.in_([CLAIM_KEY, RESERVED_KEY]),
        ),
    )
    .where(
        _TRIALS.c.study_id == bindparam("study_id"),
        or_(
            _TRIALS.c.trial_id > bindparam("later_than"),
            _TRIALS.c.trial_id.in_(bindparam("open_ids", expanding=True)),
        ),
        _TRIALS.c.trial_id != bindparam("trial_id"),
    )
)


class ClaimRows:
    """A writer of claims on the seats of a study, under a lock.

    Optuna numbers trials under the same lock: on the study's row, on SQLite on the whole database.
    The lock is held for two short statements.

    Args:
        storage: A SQL storage of Optuna.

    Raises:
        TypeError: The storage is of another kind.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._engine = database_of(storage).engine

    def claim(
        self,
        study_id: int,
        trial_id: int,
        free: Sequence[Seat],
        attributes: Callable[[Seat], Mapping[str, Any]],
        *,
        only_first: bool,
        later_than: int,
        open_ids: Collection[int],
        arriving_ids: Collection[int],
    ) -> Seat | None:
        """Claim the first seat among `free` that no other trial claims or reserves.

        If there are more such seats, the first ones are left to running trials with lower numbers
        that are about to claim one.

        Args:
            study_id: Id of the study.
            trial_id: Id of a running trial without a claim.
            free: The seats.
            attributes: Function that returns the system attributes of a claim on a seat.
            only_first: True to claim nothing if another trial has any claim.
            later_than: Trials with higher ids than this one are read.
            open_ids: Ids of further trials that are read.
            arriving_ids: Ids among `open_ids` whose trials may be about to claim a seat.

        Returns:
            The seat that was claimed; None if there was none.

        Raises:
            KeyError: The trial does not exist.
            UpdateFinishedTrialError: The trial has ended.
        """
        selected = {
            "study_id": study_id,
            "trial_id": trial_id,
            "later_than": later_than,
            "open_ids": list(open_ids),
        }

        def attempt(*, anew: bool = False) -> Seat | None:
            try:
                with self._engine.begin() as connection:
                    _lock(connection, trial_id)
                    others = connection.execute(_OTHERS, selected).all()
                    taken = {
                        seat for _, _, key, text in others if key for seat in seats_named(key, text)
                    }
                    left = [seat for seat in free if seat not in taken]
                    if not left or (only_first and taken):
                        return None
                    ahead = sum(
                        other < trial_id
                        and state == _RUNNING
                        and key is None
                        and (other > later_than or other in arriving_ids)
                        for other, state, key, _ in others
                    )
                    seat: Seat = left[min(ahead, len(left) - 1)]
                    _write(connection, trial_id, attributes(seat), anew=anew)
                    return seat
            except IntegrityError:
                if anew:
                    raise
            except SQLAlchemyError as error:
                raise StorageInternalError(f"a seat could not be claimed: {error}") from error
            return attempt(anew=True)  # the trial had an attribute of this name that is not a claim

        return persist(attempt)


def _lock(connection: Connection, trial_id: int) -> None:
    if connection.dialect.name == "sqlite":
        # No other process may write between the read below and the write after it.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    state = connection.scalar(_LOCK, {"trial_id": trial_id})
    if state is None:
        raise KeyError(trial_id)
    if state != _RUNNING:
        raise UpdateFinishedTrialError(f"trial id {trial_id} does not run any more")


def _write(
    connection: Connection,
    trial_id: int,
    attributes: Mapping[str, Any],
    *,
    anew: bool,
) -> None:
    if anew:
        connection.execute(
            delete(_ATTRIBUTES).where(
                _ATTRIBUTES.c.trial_id == trial_id, _ATTRIBUTES.c.key.in_(list(attributes))
            )
        )
    connection.execute(
        insert(_ATTRIBUTES),
        [
            {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
            for key, value in attributes.items()
        ],
    )
