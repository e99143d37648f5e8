"""Workers of one study that are killed at any moment and started again until the search is done."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats import follower as following
from relativenas_optuna.samplers.seats import replay
from tests.helpers.samplers.worker_process import POINTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.samplers.worker_groups import WorkerGroup


@dataclass
class Chaos:
    """Kills workers of a group at random moments.

    Attributes:
        worker_group: Whose.
        log: A file for what the workers told.
        random: Who, when and where.
        kills: How many ended by SIGKILL, by where.
    """

    worker_group: WorkerGroup
    log: Path
    random: Random
    kills: Counter[str] = field(default_factory=Counter)

    def run(self, *, workers: int, kills: int, nap: float = 0.02) -> Counter[str]:
        """Search with so many workers at once, some of which are killed; then check all.

        Every second worker dies at a named point; the others at a moment of a third of a second.

        Returns:
            What is in the study; see `WorkerGroup.check`.
        """
        running: dict[int, tuple[str, float]] = {}
        while not self.worker_group.is_done:
            left = kills - self.kills.total()
            while len(running) < workers:
                pid, how = self._start(kills=len(running) < left, nap=nap)
                running[pid] = how
            time.sleep(0.02)
            for pid, (point, deadline) in list(running.items()):
                if point == "moment" and time.monotonic() > deadline:
                    self._note(self.worker_group.pool.kill(pid), point)
                elif not self.worker_group.pool.is_running(pid):
                    self._note(self.worker_group.pool.wait(pid), point)
                else:
                    continue
                del running[pid]
        for pid in running:
            self.worker_group.pool.kill(pid)
        self._clean_up()
        return self._check(workers)

    def _start(self, *, kills: bool, nap: float) -> tuple[int, tuple[str, float]]:
        point = self.random.choice([*POINTS, *["moment"] * len(POINTS)]) if kills else "none"
        armed = {"point": point, "at": self.random.randint(1, 3)} if point in POINTS else {}
        moment = time.monotonic() + 0.1 + self.random.random() * 0.5
        pid = self.worker_group.start(log=str(self.log), nap=nap, **armed)
        return pid, (point, moment)

    def _note(self, status: int, point: str) -> None:
        assert status in (0, -9), status
        self.kills[point] += status == -9

    def _clean_up(self) -> None:
        """A last worker, for whom every trial without a seat is old, asks once more."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(following, "STILLBORN_AGE", 0.0)
            patched.setattr(replay, "ARRIVAL_AGE", 0.0)
            study = self.worker_group.study
            study.sampler = self.worker_group.scenario.sampler()
            study.optimize(self.worker_group.scenario.objective, n_trials=1)

    def _check(self, workers: int) -> Counter[str]:
        # A worker that dies frees a seat for those who see it at once, and not for the others.
        found = self.worker_group.check(doubles=5 + self.kills.total() // 20)
        assert found["running"] == 0
        told = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        trials = self.worker_group.study.trials
        for number, values in told:
            assert trials[int(number)].state == TrialState.COMPLETE
            assert repr(trials[int(number)].values) == values
        # A crash costs one trial; those that ran at the end were killed too.
        assert found["failed"] <= self.kills.total() + workers
        return found
