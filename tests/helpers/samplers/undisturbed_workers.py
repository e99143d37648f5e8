"""Rules of a Hypothesis state machine for workers that do not die."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from relativenas_optuna.samplers.seats.claims import Seat
from tests.helpers.samplers.interleaved_study import InterleavedStudy, Running
from tests.helpers.samplers.observer import place_of
from tests.helpers.samplers.scenarios import Scenario, point
from tests.helpers.samplers.simulated_workers import Worker

pick = st.integers(0, 10**6)  # chooses among the items there are
units = st.floats(0, 1, exclude_max=True)
scenarios = st.builds(
    Scenario,
    finite=st.booleans(),
    known=st.booleans(),
    preset=st.sampled_from(["plain", "migo", "paper", "members"]),
    objectives=st.sampled_from([1, 1, 2]),
    coarse=st.booleans(),
    size=st.sampled_from([2, 4, 6]),
    noisy=st.booleans(),
    conditional=st.booleans(),
)


class UndisturbedWorkers(RuleBasedStateMachine):
    """Workers on two machines that ask and tell, failing objectives, and trials of others."""

    study: InterleavedStudy
    calm: bool
    kind: str
    arrived: list[tuple[int, Worker]]  # trials that are about to claim a seat

    @initialize(
        scenario=scenarios,
        kind=st.sampled_from(["memory"] * 4 + ["journal"] * 3 + ["sqlite"]),
        calm=st.sampled_from([True, True, False]),
        done=st.integers(0, 25),
    )
    def begin(self, scenario: Scenario, kind: str, calm: bool, done: int) -> None:
        self.study = InterleavedStudy(scenario, kind)
        self.calm, self.kind = calm, kind
        self.arrived = []
        self.study.hire("here")
        self.study.hire("there")
        self.work(0, done)

    def teardown(self) -> None:
        if hasattr(self, "study"):
            self.study.close()

    @property
    def workers(self) -> list[Worker]:
        living = self.study.living
        return living or [self.study.hire("here")]

    def worker(self, which: int) -> Worker:
        return self.workers[which % len(self.workers)]

    def one_of_the_running(self, which: int) -> Running | None:
        running = [
            trial
            for trial in self.study.running
            if trial.worker is None or trial.worker not in self.study.world.current
        ]
        return running[which % len(running)] if running else None

    # Actions of one worker.

    @rule(machine=st.sampled_from(["here", "there"]), knows=st.booleans())
    def hire(self, machine: str, knows: bool) -> None:
        if len(self.study.living) < 4:
            self.study.hire(machine, knows=knows)

    @rule(who=pick, suggests=st.booleans())
    def ask(self, who: int, suggests: bool) -> None:
        asker = self.worker(who)
        asked = self.study.ask(asker, alone=True)
        assert asked is not None
        if suggests:
            self.study.suggest(asked, asker)

    @rule(who=pick, trials=st.integers(3, 12))
    def work(self, who: int, trials: int) -> None:
        for _ in range(trials):
            asked = self.study.ask(self.worker(who), alone=True)
            assert asked is not None
            self._complete(asked, who)

    @rule(who=pick)
    def complete_all(self, who: int) -> None:
        for started in list(self.study.running):
            self._complete(started, who)

    @rule(which=pick, who=pick)
    def complete(self, which: int, who: int) -> None:
        started = self.one_of_the_running(which)
        if started is not None:
            self._complete(started, who)

    def _complete(self, started: Running, who: int) -> None:
        params = self.study.suggest(started, self.worker(who))
        place = place_of(self.study.trials[started.number])  # none where a stock worker runs it
        values = self.study.scenario.values(params, place and Seat(*place))
        started.study.tell(started.number, values)
        self.study.reported(started, TrialState.COMPLETE, values)

    @rule(which=pick, who=pick, nan=st.booleans(), suggests=st.booleans())
    def fail(self, which: int, who: int, nan: bool, suggests: bool) -> None:
        started = self.one_of_the_running(which)
        if started is None:
            return
        place = place_of(self.study.trials[started.number])
        if self.calm and place is not None and self.study.failures[place] == 2:
            return
        if suggests:
            self.study.suggest(started, self.worker(who))
        if nan:
            with pytest.warns(UserWarning, match="nan is not acceptable"):
                started.study.tell(started.number, [math.nan] * self.study.scenario.objectives)
        else:
            started.study.tell(started.number, state=TrialState.FAIL)
        self.study.reported(started, TrialState.FAIL)

    @precondition(lambda self: not self.calm)
    @rule(which=pick, who=pick, reports=st.dictionaries(st.integers(0, 3), st.floats()))
    def prune(self, which: int, who: int, reports: dict[int, float]) -> None:
        started = self.one_of_the_running(which)
        if started is None:
            return
        self.study.suggest(started, self.worker(who))
        assert started.trial is not None
        if self.study.scenario.objectives == 1:
            for step, value in reports.items():
                started.trial.report(value, step)
        started.study.tell(started.number, state=TrialState.PRUNED)
        self.study.reported(started, TrialState.PRUNED)

    # Whole generations.

    @rule(who=pick, detached=st.booleans())
    def ask_generation(self, who: int, detached: bool) -> None:
        asker = self.worker(who)
        expected = self.study.rules(asker).batch()
        trials = self._ask_generation(asker, detached)
        assert sorted(self.study.seat(trial.number) for trial in trials) == expected

    def _ask_generation(self, asker: Worker, detached: bool) -> list[optuna.Trial]:
        trials: list[optuna.Trial] = []
        with self.study.world.acting(asker):
            trials = asker.sampler.ask_generation(asker.study, detached=detached)
        for trial in trials:
            started = self.study.record_start(trial, None if detached else asker)
            started.trial = None if detached else trial
            self._made_whole(trial.number)
        return trials

    def _made_whole(self, number: int) -> None:
        """Record a trial that has all parameters, whichever its objective uses."""
        scenario = self.study.scenario
        if scenario.conditional and (scenario.finite or scenario.preset == "migo"):
            self.study.disturb(self.study.seat(number))

    @precondition(lambda self: self.study.scenario.known)
    @rule(who=pick)
    def enqueue_generation(self, who: int) -> None:
        asker = self.worker(who)
        expected = self.study.rules(asker).batch()
        with self.study.world.acting(asker):
            numbers = asker.sampler.enqueue_generation(asker.study)
        assert sorted(self.study.seat(number) for number in numbers) == expected
        for number in numbers:
            self._made_whole(number)

    @rule(trials=st.integers(1, 4))
    def pop_as_a_stock_worker(self, trials: int) -> None:
        study = self.study.study
        study.sampler = RandomSampler(seed=0)
        for _ in range(trials):
            if any(trial.state == TrialState.WAITING for trial in self.study.trials):
                popped = self.study.record_start(study.ask(), None)
                if place_of(self.study.trials[popped.number]) is None:
                    self._complete(popped, 0)

    # Trials of others.

    @precondition(lambda self: not self.calm)
    @rule(values=st.dictionaries(st.integers(0, 4), units, min_size=1))
    def enqueue_fixed(self, values: dict[int, float]) -> None:
        space = self.study.scenario.space
        names = list(space)
        chosen = {names[i % len(names)]: u for i, u in values.items()}
        self.study.study.enqueue_trial({name: point(space[name], u) for name, u in chosen.items()})

    @rule(u=units, own=st.booleans(), state=st.sampled_from([TrialState.COMPLETE, TrialState.FAIL]))
    def add_foreign(self, u: float, own: bool, state: TrialState) -> None:
        space = self.study.scenario.space if own else {}
        params: dict[str, Any] = {name: point(space[name], u) for name in space}
        complete = state == TrialState.COMPLETE
        values = [u] * self.study.scenario.objectives if complete else None
        self.study.study.add_trial(
            create_trial(state=state, params=params, distributions=space, values=values)
        )

    # Checks after every step.

    @invariant()
    def what_must_hold(self) -> None:
        if hasattr(self, "study"):
            self.study.check_ledger()
            self.study.check_population()
