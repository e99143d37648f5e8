"""A buffer that writes the parameters of a trial in one transaction."""

from __future__ import annotations

import atexit
import os
import threading
import time
import warnings
from contextlib import contextmanager
from multiprocessing import util
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from sqlalchemy import column, func, insert, literal_column, select, table
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from relativenas_optuna._utils.patience import AT_THE_END, at_most, limited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.distributions import BaseDistribution
    from sqlalchemy.engine import Connection, Engine

DELAY = 0.1  # seconds from a trial's first parameter that waits to its row in the database
_NAP = 0.1  # seconds
_PATIENCE = 600.0  # seconds for another thread; its own time-outs end it long before
_RETRY = 1.0  # seconds after which a database that did not answer is tried again

# Tables of Optuna's schema, which changes less often than Optuna's classes for them.
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("state"))
_PARAMETERS = table(
    "trial_params",
    column("trial_id"),
    column("param_name"),
    column("param_value"),
    column("distribution_json"),
)
_FINISHED = {"COMPLETE", "PRUNED", "FAIL"}


class _Waiting:
    """Rows of one running trial that are not yet in the database, oldest first.

    The lock is held while they are written: after acquiring it, they are in the database.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: list[dict[str, Any]] = []
        self.known: dict[str, BaseDistribution] | None = None  # of another trial of the study
        self.due = 0.0  # on the monotonic clock, of the first row


class ParameterBuffer:
    """A buffer for the parameters of this process's trials, written up to `DELAY` seconds late.

    Any thread may call any method. Call `write` or `write_all` before any other write to a trial
    and before any read of its parameters. When the process ends normally, everything is written. A
    forked child starts with an empty buffer.

    Args:
        engine: SQLAlchemy engine of Optuna's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begin_empty()
        _BUFFERS.add(self)

    def _begin_empty(self) -> None:
        self._lock = threading.Lock()  # of the three below; taken last
        self._trials: dict[int, _Waiting] = {}  # that run here
        self._late: dict[int, _Waiting] = {}  # those of them that have rows
        self._writer: threading.Thread | None = None

    def leave_parent(self) -> None:
        """Forget the rows and connections of the parent process, in a forked child."""
        self._begin_empty()
        if isinstance(self._engine.pool, QueuePool):  # others would lose a database in memory
            self._engine.dispose(close=False)

    def begin(self, trial_id: int) -> None:
        """Accept parameters of a trial that this process runs."""
        with self._lock:
            self._trials[trial_id] = _Waiting()

    def end(self, trial_id: int) -> None:
        """Accept no more parameters of a trial, and forget those not yet written."""
        with self._lock:
            self._trials.pop(trial_id, None)
            self._late.pop(trial_id, None)

    def takes(self, trial_id: int) -> bool:
        """Return True if the buffer accepts parameters of a trial."""
        return trial_id in self._trials

    def known(self, trial_id: int, name: str) -> BaseDistribution | None:
        """Return the distribution of a parameter in the study's last complete trial.

        None if that trial does not have the parameter, or if this process does not run `trial_id`.
        """
        waiting = self._trials.get(trial_id)
        if waiting is None:
            return None
        if waiting.known is None:
            study = select(_TRIALS.c.study_id).filter_by(trial_id=trial_id).scalar_subquery()
            last = select(func.max(_TRIALS.c.trial_id)).where(
                _TRIALS.c.study_id == study, _TRIALS.c.state == literal_column("'COMPLETE'")
            )
            rows = select(_PARAMETERS.c.param_name, _PARAMETERS.c.distribution_json).where(
                _PARAMETERS.c.trial_id == last.scalar_subquery()
            )
            with self._engine.connect() as connection:
                found = connection.execute(rows).all()
            waiting.known = {name: json_to_distribution(text) for name, text in found}
        return waiting.known.get(name)

    def put(
        self, trial_id: int, name: str, internal: float, distribution: BaseDistribution
    ) -> bool:
        """Add a parameter of a trial; return False if this process does not run the trial."""
        waiting = self._trials.get(trial_id)
        if waiting is None:
            return False
        row = {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": internal,
            "distribution_json": distribution_to_json(distribution),
        }
        with waiting.lock:
            if not waiting.rows:
                waiting.due = time.monotonic() + DELAY
            waiting.rows.append(row)
            with self._lock:
                self._late[trial_id] = waiting
                if self._writer is None:
                    self._writer = threading.Thread(target=self._write_when_due, daemon=True)
                    self._writer.start()
        return True

    def write(self, trial_id: int) -> None:
        """Write the parameters of a trial to the database.

        If the trial is finished or deleted, nothing is written and no more parameters are accepted.
        The next operation on the trial raises the error.

        Raises:
            StorageInternalError: The database failed; the parameters stay in the buffer.
        """
        waiting = self._late.get(trial_id)
        if waiting is None:
            return
        with _held(waiting.lock):
            if not waiting.rows:
                return  # another thread was quicker
            try:
                self._insert(trial_id, waiting.rows)
            except (KeyError, UpdateFinishedTrialError):
                self.end(trial_id)
            except StorageInternalError:  # no answer in time
                waiting.due = time.monotonic() + _RETRY
                raise
            except SQLAlchemyError as error:
                waiting.due = time.monotonic() + _RETRY
                raise StorageInternalError(
                    f"{len(waiting.rows)} parameters of a trial could not be stored yet: {error}"
                ) from error
            waiting.rows.clear()
            with self._lock:
                self._late.pop(trial_id, None)

    def write_all(self) -> None:
        """Write the parameters of every trial, and raise the first error at the end."""
        failure = None
        for trial_id in list(self._late):
            try:
                self.write(trial_id)
            except StorageInternalError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _write_when_due(self) -> None:
        """Write rows when they are due; the thread's function."""
        while (due := self._next_due()) is not None:
            # Short naps, since another row may be due earlier.
            time.sleep(min(max(0.0, due - time.monotonic()), _NAP))
            now = time.monotonic()
            for trial_id, waiting in list(self._late.items()):
                if waiting.due <= now:
                    try:
                        self.write(trial_id)
                    except StorageInternalError:
                        continue  # the next operation on the trial writes it, or the next round

    def _next_due(self) -> float | None:
        """Return the time of the next write; None to end the thread."""
        with self._lock:
            if not self._late:
                self._writer = None
            return min((waiting.due for waiting in self._late.values()), default=None)

    def _insert(self, trial_id: int, rows: list[dict[str, Any]]) -> None:
        try:
            with self._engine.begin() as connection:
                _check_running(connection, trial_id)
                connection.execute(insert(_PARAMETERS), rows)
        except IntegrityError:
            # Another process, or this one twice, has set one of them: as in Optuna, that stays.
            with self._engine.begin() as connection:
                _check_running(connection, trial_id)
                names = select(_PARAMETERS.c.param_name).filter_by(trial_id=trial_id)
                there = set(connection.scalars(names))
                first = {row["param_name"]: row for row in reversed(rows)}
                new = [row for row in rows if first[row["param_name"]] is row]
                new = [row for row in new if row["param_name"] not in there]
                if new:
                    connection.execute(insert(_PARAMETERS), new)


def _check_running(connection: Connection, trial_id: int) -> None:
    state = connection.scalar(select(_TRIALS.c.state).filter_by(trial_id=trial_id))
    if state is None:
        raise KeyError(trial_id)
    if state in _FINISHED:
        raise UpdateFinishedTrialError(f"trial id {trial_id} is finished")


_BUFFERS: WeakSet[ParameterBuffer] = WeakSet()


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock, which another thread may hold while it waits for the database."""
    if not lock.acquire(timeout=limited(_PATIENCE)):
        raise StorageInternalError("parameters of a trial could not be stored yet: no answer")
    try:
        yield
    finally:
        lock.release()


@atexit.register
def _write_the_last() -> None:
    for buffer in list(_BUFFERS):
        try:
            with at_most(AT_THE_END):
                buffer.write_all()
        except StorageInternalError as error:
            warnings.warn(f"parameters of a running trial are lost: {error}", stacklevel=1)


def _leave_parents() -> None:
    for buffer in list(_BUFFERS):
        buffer.leave_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_parents)
# A child that multiprocessing forks ends without `atexit`, and forgets its parent's finalizers.
util.register_after_fork(_BUFFERS, lambda _: util.Finalize(None, _write_the_last, exitpriority=0))
