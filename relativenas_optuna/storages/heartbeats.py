"""Heartbeats that are repeated after a database error, and the search for stale trials."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from optuna.storages._rdb.models import TrialHeartbeatModel
from sqlalchemy import DateTime, cast, func, select

from relativenas_optuna._utils.patience import AT_THE_END, at_most
from relativenas_optuna._utils.stopwatch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.orm import Session

_RETRIES = 4  # in the time of one interval
_HEARTBEAT = TrialHeartbeatModel.heartbeat  # a local time without a zone
_UNIX_AGE = func.unix_timestamp() - func.unix_timestamp(_HEARTBEAT)
# Seconds since a heartbeat, by the time zone of the connection.
_AGES = {
    "postgresql": func.extract("epoch", func.now() - cast(_HEARTBEAT, DateTime(timezone=True))),
    "mysql": _UNIX_AGE,
    "mariadb": _UNIX_AGE,
}


class Heartbeats:
    """Recorder of heartbeats that repeats each one until the database accepts it.

    Optuna's heartbeat thread ends at the first database error. Another process then fails the
    trial, although its worker is alive.

    Args:
        record: Function that writes one heartbeat of a trial, given by its id, to the database.
        interval: Seconds between two heartbeats.
    """

    def __init__(self, record: Callable[[int], None], interval: float) -> None:
        self._record = record
        self._interval = interval
        self._retried: set[int] = set()
        self._lock = threading.Lock()

    def record(self, trial_id: int) -> None:
        """Write the heartbeat of a trial now; if the database fails, try again in a thread."""
        try:
            with at_most(AT_THE_END):  # the end of the trial waits for this
                self._record(trial_id)
        except Exception:  # of any driver; the trial's own next write reports it
            with self._lock:
                if trial_id in self._retried:
                    return
                self._retried.add(trial_id)
            timer = threading.Timer(self._interval / _RETRIES, self._retry, [trial_id])
            timer.daemon = True
            timer.start()

    def _retry(self, trial_id: int) -> None:
        with self._lock:
            self._retried.discard(trial_id)
        # Once for each heartbeat that failed or was retried; the next one comes by Optuna's thread.
        self.record(trial_id)


class StaleTrials:
    """Test for stale trials that allows for a suspension of this process.

    Several processes may be suspended and resumed together, for example with their machine. Their
    heartbeats are old at that moment. So a process that was suspended waits for `grace` seconds
    before it takes a trial for stale.

    Args:
        grace: Seconds without a heartbeat after which a trial is stale.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._watch = Watch()
        self._last: tuple[float, float] | None = None
        self._trusts_from = 0.0

    def note_running(self) -> None:
        """Note that this process runs now."""
        now = time.monotonic(), time.time()  # the first stands still where a machine is suspended
        if self._last is not None:
            gaps = [after - before for after, before in zip(now, self._last, strict=True)]
            if max(gaps) > self._grace:
                self._trusts_from = now[0] + self._grace
        self._last = now

    def among(self, trial_ids: list[int]) -> list[int]:
        """Return the stale trials among trials with an old heartbeat, by id."""
        self.note_running()
        seen = {i: self._watch.unchanged(i, "no heartbeat") for i in trial_ids}
        self._watch.forget_others(seen)
        if time.monotonic() >= self._trusts_from:
            return trial_ids
        return [i for i in trial_ids if seen[i] > self._grace]


def without_heartbeat(session: Session, trial_ids: Collection[int], grace: float) -> list[int]:
    """Return the trials, among those that Optuna takes for stale, whose heartbeat really is old.

    Optuna subtracts local times, so that every heartbeat seems an hour old when summer time starts.
    This function uses the database's clock and time zone.

    Args:
        session: Session of the database.
        trial_ids: Ids of the trials that Optuna takes for stale.
        grace: Seconds without a heartbeat after which a trial is stale.
    """
    age = _AGES.get(session.get_bind().dialect.name)
    if age is None or not trial_ids:  # other databases, such as SQLite, store UTC
        return list(trial_ids)
    of = TrialHeartbeatModel.trial_id
    return list(session.scalars(select(of).where(of.in_(trial_ids), age > grace).order_by(of)))
