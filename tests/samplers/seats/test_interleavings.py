"""Random interleavings of everything that workers do, by hypothesis.

`RELATIVENAS_TEST_EXAMPLES` sets how many there are; where it is set they are new ones each time.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from relativenas_optuna.samplers.seats import lease
from relativenas_optuna.samplers.seats.claims import Seat
from tests.helpers.samplers.interleaved_study import InterleavedStudy
from tests.helpers.samplers.observer import place_of
from tests.helpers.samplers.scenarios import Scenario
from tests.helpers.samplers.simulated_workers import Worker
from tests.helpers.samplers.undisturbed_workers import UndisturbedWorkers, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

EXAMPLES = os.environ.get("RELATIVENAS_TEST_EXAMPLES")


class Interleavings(UndisturbedWorkers):
    """Workers that also die, and act between the writes of each other."""

    @rule(who=pick)
    def kill(self, who: int) -> None:
        self.study.kill(self.worker(who))

    @rule(machine=st.sampled_from(["here", "there"]), times=st.integers(2, 4), wait=st.booleans())
    def die_again_and_again(self, machine: str, times: int, wait: bool) -> None:
        """Let workers die one after the other, at the same seat if it is freed."""
        for _ in range(times):
            worker = self.study.hire(machine)
            self.study.ask(worker, alone=True)
            self.study.kill(worker)
            if wait:
                self.pass_time(200.0)

    @rule(seconds=st.sampled_from([30.0, 100.0, 200.0]))
    def pass_time(self, seconds: float) -> None:
        for _ in list(self.arrived):
            self.claim(0)  # no worker takes that long
        self.study.world.pass_time(seconds)

    @rule(who=pick)
    def arrive(self, who: int) -> None:
        asker = self.worker(who)
        storage = asker.study._storage
        with self.study.world.acting(asker):
            trial_id = storage.create_new_trial(asker.study._study_id)
        self.arrived.append((storage.get_trial_number_from_id(trial_id), asker))

    @rule(which=pick)
    def claim(self, which: int) -> None:
        arrived = [(n, who) for n, who in self.arrived if who in self.study.living]
        if not arrived:
            return
        number, asker = arrived[which % len(arrived)]
        self.arrived.remove((number, asker))
        self._claim(number, asker, alone=self.kind != "sqlite")  # which reads what it knew

    def _claim(self, number: int, asker: Worker, *, alone: bool) -> None:
        trial_id = self.study.trials[number]._trial_id
        expected = self.study.rules(asker).seat_of(number)
        claimed = None
        with self.study.world.acting(asker):
            claimed = optuna.Trial(asker.study, trial_id)
        if claimed is not None:
            self.study.record_start(claimed, asker)
            assert not alone or place_of(self.study.trials[number]) == expected

    @rule(who=pick, writes=st.integers(0, 6), batch=st.booleans())
    def die_while_asking(self, who: int, writes: int, batch: bool) -> None:
        asker = self.worker(who)
        self.study.world.plan(writes, lambda: self.study.kill(asker))
        self._asks(asker, batch)
        self.study.world.cancel()

    @rule(
        who=pick,
        writes=st.integers(0, 6),
        batch=st.booleans(),
        event=st.sampled_from(["ask", "batch", "claim", "complete", "kill"]),
        which=pick,
    )
    def ask_interrupted(self, who: int, writes: int, batch: bool, event: str, which: int) -> None:
        events: dict[str, Callable[[], None]] = {
            "ask": lambda: self._asks(self.worker(which), False),
            "batch": lambda: self._asks(self.worker(which), True),
            "claim": lambda: self._claim_one(which),
            "complete": lambda: self.complete(which, which),
            "kill": lambda: self.study.kill(self.worker(which)),
        }
        asker = self.worker(who)
        self.study.world.plan(writes, events[event])
        self._asks(asker, batch)
        self.study.world.cancel()

    def _asks(self, asker: Worker, batch: bool) -> None:
        if batch:
            self._ask_generation(asker, detached=False)
        else:
            self.study.ask(asker, alone=False)

    def _claim_one(self, which: int) -> None:
        arrived = [(n, who) for n, who in self.arrived if who in self.study.living]
        if arrived:
            number, asker = arrived[which % len(arrived)]
            self.arrived.remove((number, asker))
            self._claim(number, asker, alone=False)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_a_worker_that_reports_and_ends_during_a_read_is_not_dead(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario(
        finite=False, known=True, preset="plain", objectives=1, coarse=False, size=4
    )
    study, known_gone = InterleavedStudy(scenario, kind), lease.is_gone
    try:
        workers = [study.hire("here") for _ in range(3)]
        looker = workers.pop()
        asked = [study.ask(worker, alone=True) for worker in workers]
        running = {trial.number: trial for trial in asked if trial is not None}
        assert len(running) == len(workers)
        values = {
            number: scenario.values(study.suggest(trial, worker), Seat(*study.seat(number)))
            for (number, trial), worker in zip(running.items(), workers, strict=True)
        }
        looks: Counter[int] = Counter()

        def is_gone(trial: FrozenTrial, silence: float) -> bool:
            """The first worker ends at the first look at its trial, the second at the second."""
            number = trial.number
            looks[number] += 1
            if number in running and looks[number] > number and workers[number].alive:
                running[number].study.tell(number, values[number])
                study.kill(workers[number])
            return known_gone(trial, silence)

        monkeypatch.setattr(lease, "is_gone", is_gone)
        with study.world.acting(looker):
            looker.study.ask()
            looker.study.ask()
        assert [study.seat(number) for number in (2, 3)] == [(0, 2), (0, 3)]
    finally:
        study.close()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=int(EXAMPLES or 6),
    stateful_step_count=40,
    derandomize=EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    report_multiple_bugs=False,
)
