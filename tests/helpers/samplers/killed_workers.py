"""Workers of one study that are killed at any moment and started again until the search is done."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats import follower, replay
from tests.helpers.samplers.worker_process import POINTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.samplers.worker_groups import WorkerGroup


@dataclass
class Chaos:
    """Kills workers of a group at random moments.

    Attributes:
        group: The workers.
        log: File with the results that the workers reported.
        random: Random numbers for the choice of worker, time and point.
        kills: Number of workers that ended by SIGKILL, by point.
    """

    group: WorkerGroup
    log: Path
    random: Random
    kills: Counter[str] = field(default_factory=Counter)

    def run(self, *, workers: int, kills: int, nap: float = 0.02) -> Counter[str]:
        """Search with several workers at once, kill some of them, and check the result.

        About half of those that are killed die at a named point, the others after up to 0.6 s.

        Returns:
            The counts of `WorkerGroup.check`.
        """
        running: dict[int, tuple[str, float]] = {}
        while not self.group.is_done:
            left = kills - self.kills.total()
            while len(running) < workers:
                pid, how = self._start(kills=len(running) < left, nap=nap)
                running[pid] = how
            time.sleep(0.02)
            for pid, (point, deadline) in list(running.items()):
                if point == "moment" and time.monotonic() > deadline:
                    self._note(self.group.pool.kill(pid), point)
                elif not self.group.pool.is_running(pid):
                    self._note(self.group.pool.wait(pid), point)
                else:
                    continue
                del running[pid]
        for pid in running:
            self.group.pool.kill(pid)
        self._clean_up()
        return self._check(workers)

    def _start(self, *, kills: bool, nap: float) -> tuple[int, tuple[str, float]]:
        point = self.random.choice([*POINTS, *["moment"] * len(POINTS)]) if kills else "none"
        armed = {"point": point, "at": self.random.randint(1, 3)} if point in POINTS else {}
        moment = time.monotonic() + 0.1 + self.random.random() * 0.5
        pid = self.group.start(log=str(self.log), nap=nap, **armed)
        return pid, (point, moment)

    def _note(self, status: int, point: str) -> None:
        assert status in (0, -9), status
        self.kills[point] += status == -9

    def _clean_up(self) -> None:
        """Let a last worker ask once more, to which every trial without a seat is old."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(follower, "STILLBORN_AGE", 0.0)
            patched.setattr(replay, "ARRIVAL_AGE", 0.0)
            study = self.group.study
            study.sampler = self.group.scenario.sampler()
            study.optimize(self.group.scenario.objective, n_trials=1)

    def _check(self, workers: int) -> Counter[str]:
        # Only workers that see a death at once know that its seat is free.
        found = self.group.check(doubles=5 + self.kills.total() // 20)
        assert found["running"] == 0
        reported = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        trials = self.group.study.trials
        for number, values in reported:
            assert trials[int(number)].state == TrialState.COMPLETE
            assert repr(trials[int(number)].values) == values
        # A crash costs one trial; those that ran at the end were killed too.
        assert found["failed"] <= self.kills.total() + workers
        return found
