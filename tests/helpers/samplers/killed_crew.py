"""A crew whose workers are killed at any moment, and begun anew, until the search is done."""

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

    from tests.helpers.samplers.worker_crews import Crew


@dataclass
class Chaos:
    """Kills workers of a crew.

    Attributes:
        crew: Whose.
        log: A file for what the workers told.
        random: Who, when and where.
        kills: How many ended by SIGKILL, by where.
    """

    crew: Crew
    log: Path
    random: Random
    kills: Counter[str] = field(default_factory=Counter)

    def run(self, *, workers: int, kills: int, nap: float = 0.02) -> Counter[str]:
        """Search with so many workers at once, some of which are killed; then check all.

        Every second worker dies at a named point; the others at a moment of a third of a second.

        Returns:
            What is in the study; see `Crew.check`.
        """
        running: dict[int, tuple[str, float]] = {}
        while not self.crew.is_done:
            left = kills - self.kills.total()
            while len(running) < workers:
                pid, how = self._start(kills=len(running) < left, nap=nap)
                running[pid] = how
            time.sleep(0.02)
            for pid, (point, deadline) in list(running.items()):
                if point == "moment" and time.monotonic() > deadline:
                    self._note(self.crew.nursery.kill(pid), point)
                elif not self.crew.nursery.is_running(pid):
                    self._note(self.crew.nursery.wait(pid), point)
                else:
                    continue
                del running[pid]
        for pid in running:
            self.crew.nursery.kill(pid)
        self._clean_up()
        return self._check(workers)

    def _start(self, *, kills: bool, nap: float) -> tuple[int, tuple[str, float]]:
        point = self.random.choice([*POINTS, *["moment"] * len(POINTS)]) if kills else "none"
        armed = {"point": point, "at": self.random.randint(1, 3)} if point in POINTS else {}
        moment = time.monotonic() + 0.1 + self.random.random() * 0.5
        pid = self.crew.start(log=str(self.log), nap=nap, **armed)
        return pid, (point, moment)

    def _note(self, status: int, point: str) -> None:
        assert status in (0, -9), status
        self.kills[point] += status == -9

    def _clean_up(self) -> None:
        """A last worker, for whom every trial without a seat is old, asks once more."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(following, "STILLBORN_AGE", 0.0)
            patched.setattr(replay, "ARRIVAL_AGE", 0.0)
            study = self.crew.study
            study.sampler = self.crew.scenario.sampler()
            study.optimize(self.crew.scenario.objective, n_trials=1)

    def _check(self, workers: int) -> Counter[str]:
        # A worker that dies frees a seat for those who see it at once, and not for the others.
        found = self.crew.check(doubles=5 + self.kills.total() // 20)
        assert found["running"] == 0
        told = [line.split(" ", 1) for line in self.log.read_text().splitlines()]
        trials = self.crew.study.trials
        for number, values in told:
            assert trials[int(number)].state == TrialState.COMPLETE
            assert repr(trials[int(number)].values) == values
        # A crash costs one trial; those that ran at the end were killed too.
        assert found["failed"] <= self.kills.total() + workers
        return found
