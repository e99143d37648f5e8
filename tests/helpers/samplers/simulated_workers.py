"""Simulated processes and machines, which a test can kill between two writes.

To the sampler each `Worker` is a process of its own, with its own pid, on one of several machines,
and with its own storage object if the storage is not in memory.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats import lease, replay, worker
from relativenas_optuna.samplers.seats.claims import renew, signs_of_life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

_WRITES = ("create_new_trial", "set_trial_system_attr", "set_trial_state_values")
OUTSIDE = "outside"  # the machine of whoever is no worker


class Died(BaseException):
    """Raised in a simulated process to end it."""


@dataclass(eq=False)
class Worker:
    """A simulated process with a study object, a sampler and a storage object of its own."""

    study: optuna.Study
    sampler: PopulationSampler
    machine: str
    pid: int
    alive: bool = True

    @property
    def running(self) -> list[int]:
        """Ids of the trials for which it would renew a lease."""
        keeper = self.sampler._seating(self.study)._lease
        return [] if keeper is None else keeper._running()


@dataclass
class World:
    """The set of all workers, and a clock for the leases.

    Attributes:
        clock: Seconds since 1970.
        started: Start times of trials by id.
        current: The workers whose code runs now, the innermost last.
        writes: Number of writes of a worker before `event`.
        event: Called before the next write of a worker after those.
    """

    clock: float = 1e9
    started: dict[int, float] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    current: list[Worker] = field(default_factory=list)
    writes: int = 0
    event: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._pids = count(10_000_000)
        self._patch = pytest.MonkeyPatch()
        self._hooked: set[int] = set()
        # Lease threads of other tests may still be there, and sleep.
        clock = SimpleNamespace(time=lambda: self.clock, sleep=time.sleep)
        for module, name, value in (
            (worker, "os", SimpleNamespace(getpid=lambda: self.pid)),
            (worker, "_machine", lambda: self.machine),
            (worker, "_own_start", float),
            (worker, "_start", lambda pid: float(pid) if pid in self.pids else None),
            (lease, "time", clock),
            (replay.Replay, "age", lambda _, trial: self.age(trial)),
            (replay.Replay, "silence", lambda _, trial: self.silence(trial)),
            (lease.LeaseKeeper, "begin", lambda *_: None),  # by `pass_time`
        ):
            self._patch.setattr(module, name, value)

    def end(self) -> None:
        """End the simulation."""
        self._patch.undo()

    @property
    def pids(self) -> set[int]:
        """Ids of the processes that run."""
        return {worker.pid for worker in self.workers if worker.alive}

    @property
    def pid(self) -> int:
        """Process id of the worker whose code runs now."""
        return self.current[-1].pid if self.current else 1  # which is no worker of `pids`

    @property
    def machine(self) -> str:
        """Machine of the worker whose code runs now."""
        return self.current[-1].machine if self.current else OUTSIDE

    def hire(self, storage: BaseStorage, sampler: PopulationSampler, machine: str) -> Worker:
        """Start a process."""
        study = optuna.load_study(storage=storage, study_name="s", sampler=sampler)
        self._hook(study._storage)
        hired = Worker(study, sampler, machine, next(self._pids))
        self.workers.append(hired)
        return hired

    @contextmanager
    def acting(self, who: Worker) -> Iterator[None]:
        """Run the body as this process, which may die meanwhile."""
        self.current.append(who)
        try:
            yield
        except Died:
            if who.alive:
                raise
        finally:
            self.current.pop()

    def pass_time(self, seconds: float) -> None:
        """Advance the clock; living workers renew their leases."""
        self.clock += seconds
        for who in self.workers:
            if who.alive:
                with self.acting(who):
                    for trial_id in who.running:
                        with suppress(UpdateFinishedTrialError):
                            renew(who.study._storage, trial_id, self.clock)

    def age(self, trial: FrozenTrial) -> float:
        """Return the seconds since a trial started."""
        return self.clock - self.started.get(trial._trial_id, self.clock)

    def silence(self, trial: FrozenTrial) -> float:
        """Return the seconds since the last sign of life of a trial's worker."""
        signs = [sign for sign in signs_of_life(trial.system_attrs) if sign is not None]
        return self.clock - max(signs, default=self.clock)

    def plan(self, writes: int, event: Callable[[], None]) -> None:
        """Call `event` before a worker's write number `writes` from now, counted from 0."""
        self.writes, self.event = writes, event

    def cancel(self) -> bool:
        """Cancel the planned event; return True if it has happened already."""
        happened, self.event = self.event is None, None
        return happened

    def _hook(self, storage: BaseStorage) -> None:
        if id(storage) in self._hooked:
            return
        self._hooked.add(id(storage))
        for name in _WRITES:
            written = getattr(storage, name)
            setattr(storage, name, partial(self._write, name, written))  # its type stays what it is

    def _write(self, name: str, written: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.current and self.event is not None:
            self.writes -= 1
            if self.writes < 0:
                event, self.event = self.event, None
                event()
        if self.current and not self.current[-1].alive:
            raise Died
        result = written(*arguments, **named)
        if name == "create_new_trial":
            self.started[result] = self.clock
        elif name == "set_trial_state_values" and TrialState.RUNNING in (
            *arguments,
            *named.values(),
        ):
            self.started[arguments[0] if arguments else named["trial_id"]] = self.clock
        return result
