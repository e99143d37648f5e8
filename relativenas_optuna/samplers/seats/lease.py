"""Signs of life of workers, for storages without a heartbeat."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.storages._heartbeat import is_heartbeat_enabled
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import renew, signs_of_life, worker_of
from relativenas_optuna.samplers.seats.worker import is_dead, is_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

RENEWAL = 20.0  # seconds between two signs of life
LEASE = 120.0  # seconds without one, after which a worker on another machine counts as dead


def is_gone(trial: FrozenTrial, silence: float = 0.0) -> bool:
    """Return True if a running trial's worker is known to be gone.

    On the same machine the process table shows it at once. A worker on another machine is gone if
    this process has seen no new sign of life for longer than `LEASE`. Clocks are not compared.

    Args:
        trial: The trial.
        silence: Seconds since this process saw a new sign of life of the trial's worker.
    """
    worker = worker_of(trial.system_attrs)
    if not worker or is_here(worker):
        return is_dead(worker)
    return silence > LEASE and any(sign is not None for sign in signs_of_life(trial.system_attrs))


def with_its_worker(
    storage: BaseStorage, trial: FrozenTrial, silence: Callable[[FrozenTrial], float]
) -> tuple[FrozenTrial, bool]:
    """Return a trial as it is now, and True if it still runs although its worker is gone.

    The worker may have reported a result, or released the trial, after the trial was read, and
    then ended. So a trial whose worker is gone is read again.

    Args:
        storage: The storage of the trial.
        trial: The trial as it was read.
        silence: Function that returns the seconds without a new sign of life, see `Replay.silence`.
    """
    while trial.state == TrialState.RUNNING and is_gone(trial, silence(trial)):
        read = storage.get_trial(trial._trial_id)
        if read.state == TrialState.RUNNING and read.system_attrs == trial.system_attrs:
            return read, True
        trial = read
    return trial, False


def needs_lease(storage: BaseStorage) -> bool:
    """Return True if workers on other machines need leases to notice that a worker is gone."""
    return not isinstance(storage, InMemoryStorage) and not is_heartbeat_enabled(storage)


class LeaseKeeper:
    """Keeper of the leases of this process's trials, which it renews in a thread.

    The thread ends with the process, or when the process runs no trial.

    Args:
        storage: The storage of the trials.
        running: Function that returns the ids of the trials that this process runs.
    """

    def __init__(self, storage: BaseStorage, running: Callable[[], list[int]]) -> None:
        self._storage = storage
        self._running = running
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended: set[int] = set()

    def begin(self, trial_id: int) -> None:
        """Renew the lease of a trial of this process from now on."""
        with self._lock:
            self._ended.discard(trial_id)  # ids of a deleted study come again
            if self._thread is None or not self._thread.is_alive():  # dead in a forked child
                self._thread = threading.Thread(target=self._keep, daemon=True, name="lease")
                self._thread.start()

    def _keep(self) -> None:
        while True:
            time.sleep(RENEWAL)
            with self._lock:
                trial_ids = [i for i in self._running() if i not in self._ended]
                if not trial_ids:
                    self._thread = None
                    return
            for trial_id in trial_ids:
                # A storage that fails now may work later; the trial's own writes show errors.
                with suppress(Exception):
                    self._renew(trial_id)

    def _renew(self, trial_id: int) -> None:
        try:
            renew(self._storage, trial_id, now())
        except UpdateFinishedTrialError:
            with self._lock:
                self._ended.add(trial_id)


def now() -> float:
    """Return the seconds since 1970, rounded to a tenth."""
    return round(time.time(), 1)
