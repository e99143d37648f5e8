"""A study that simulated workers search, a record of what they did, and checks of the result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
from tests.helpers.samplers.observer import CLAIM, Observer, place_of
from tests.helpers.samplers.scenarios import Place, Scenario, undisturbed
from tests.helpers.samplers.searches import bits, is_final, replayed
from tests.helpers.samplers.seat_rules import SeatRules, WholeGenerationRules
from tests.helpers.samplers.simulated_workers import Worker, World

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import Population
    from tests.helpers.samplers import observer

    Seat = observer.Place


@dataclass(eq=False)
class Running:
    """A running trial.

    Attributes:
        number: Number of the trial.
        trial: Optuna's handle of the trial; None if only its number is known.
        worker: The worker that runs the trial; None if any process may report its result.
        study: The study object that takes the result.
    """

    number: int
    trial: optuna.Trial | None
    worker: Worker | None
    study: optuna.Study


class InterleavedStudy:
    """One study, its workers, and a record of its trials.

    Attributes:
        running: Trials whose results can be reported.
        finished: Reported state and values of each trial, by number.
        failures: Number of failures of the objective itself at each seat.
        disturbed: The lowest generation with a seat that was not scored as proposed.
    """

    def __init__(self, scenario: Scenario, kind: str) -> None:
        self.scenario = scenario
        self.world = World()
        self.place = Place(kind)
        self.running: list[Running] = []
        self.finished: dict[int, tuple[TrialState, list[float] | None]] = {}
        self.failures: Counter[Seat] = Counter()
        self.disturbed = 10**9
        self.study = optuna.create_study(
            storage=self.place.open(), study_name="s", directions=scenario.directions
        )

    def close(self) -> None:
        """End the simulation and remove the study."""
        self.world.end()
        self.place.close()

    @property
    def living(self) -> list[Worker]:
        """Living workers that do nothing at the moment."""
        world = self.world
        return [who for who in world.workers if who.alive and who not in world.current]

    def hire(self, machine: str, *, knows: bool = True) -> Worker:
        """Start a worker.

        Args:
            machine: Name of the machine.
            knows: False for a sampler that takes the settings of the study.
        """
        started = any(CLAIM in trial.system_attrs for trial in self.trials)
        asked = knows or not started
        sampler = self.scenario.sampler() if asked else self.scenario.sampler_without_arguments()
        return self.world.hire(self.place.open(), sampler, machine)

    @property
    def trials(self) -> list[FrozenTrial]:
        """The trials of the study."""
        return self.study.get_trials(deepcopy=False)

    def fresh(self) -> Population | None:
        """Return the population as a new process reads it from the study."""
        return replayed(self.study)

    def followed(self, who: Worker) -> Population | None:
        """Return the population as a worker follows it."""
        with self.world.acting(who):
            return who.sampler.population(who.study)
        raise AssertionError("a worker does not die of looking")

    def rules(self, who: Worker) -> SeatRules:
        """Return the seat rules as this worker must apply them."""
        return self._rules(self.followed(who), who.machine, self.world.pids)

    def _rules(self, found: Population | None, machine: str, pids: set[int]) -> SeatRules:
        observer = Observer(machine, pids, self.world.clock, self.world.started)
        whole = self.scenario.preset in ("members", "migo")
        rules = WholeGenerationRules if whole else SeatRules
        return rules(self.trials, self.failures, found, observer, *self._searched)

    @property
    def _searched(self) -> tuple[int, str]:
        return self.scenario.size, self.scenario.preset

    def ask(self, who: Worker, *, alone: bool) -> Running | None:
        """Let a worker ask for a trial; return None if it died meanwhile.

        Args:
            who: The worker.
            alone: True if no other worker does anything meanwhile.
        """
        waiting = [trial for trial in self.trials if trial.state == TrialState.WAITING]
        number = waiting[0].number if waiting else len(self.trials)
        claimed = place_of(waiting[0]) if waiting else None
        expected = claimed or self.rules(who).seat_of(number)
        asked = None
        with self.world.acting(who):
            asked = who.study.ask()
        if asked is None:
            return None
        started = self.record_start(asked, who)
        if alone:
            assert asked.number == number
            assert place_of(self.trials[number]) == expected
        if claimed is None:
            self.check_cleaned(who)
        return started

    def record_start(self, trial: optuna.Trial, who: Worker | None) -> Running:
        """Record that a trial runs."""
        started = Running(trial.number, trial, who, trial.study)
        self.running.append(started)
        return started

    def seat(self, number: int) -> Seat:
        """Return the seat of a trial."""
        found = place_of(self.trials[number])
        assert found is not None
        return found

    def kill(self, who: Worker) -> None:
        """End a process, and the trials that only this process could report."""
        who.alive = False
        self.running = [trial for trial in self.running if trial.worker is not who]

    def open(self, started: Running, who: Worker) -> optuna.Trial | None:
        """Return the handle of a trial; `who` opens one if its worker is gone or has none."""
        if started.trial is not None and (started.worker is None or started.worker.alive):
            return started.trial
        trial_id = self.trials[started.number]._trial_id
        with self.world.acting(who):
            started.trial = optuna.Trial(who.study, trial_id)
        started.worker, started.study = who, who.study
        return started.trial

    def suggest(self, started: Running, who: Worker) -> dict[str, Any]:
        """Suggest and return the parameters of a running trial."""
        trial = self.open(started, who)
        assert trial is not None
        with self.world.acting(started.worker or who):
            params = self.scenario.suggest(trial)
        self.check_params(started.number, params, started.worker or who)
        return params

    def reported(
        self, started: Running, state: TrialState, values: list[float] | None = None
    ) -> None:
        """Record how a trial ended."""
        self.running.remove(started)
        self.finished[started.number] = state, values
        found = place_of(self.trials[started.number])
        if found is None:
            return
        if state == TrialState.FAIL:
            self.failures[found] += 1
        if state == TrialState.PRUNED or self.failures[found] >= 3:
            self.disturb(found)

    def disturb(self, seat: Seat) -> None:
        """Record that a seat was not scored as proposed."""
        self.disturbed = min(self.disturbed, seat[0])

    def check_params(self, number: int, params: dict[str, Any], who: Worker) -> None:
        """Check that a trial has the parameters of its seat, apart from fixed ones."""
        trial, population = self.trials[number], self.followed(who)
        found = place_of(trial)
        fixed = trial.system_attrs.get("fixed_params", {})
        if found is None or population is None:
            return
        if fixed:
            self.disturb(found)
            # Of a conditional space a trial may not suggest all that was fixed.
            assert self.scenario.conditional or params.keys() >= fixed.keys()
            assert all(params.get(name, value) == value for name, value in fixed.items())
        generation = population.generations[found[0]]
        if generation.encoding is None:
            return
        if isinstance(generation, PairedGeneration) and generation.learned[found[1] // 2]:
            return
        position = generation.positions[generation.member(found[1])]
        proposed = generation.encoding.decode(position)
        asked = {name: value for name, value in {**proposed, **fixed}.items() if name in params}
        assert asked == {name: params[name] for name in asked}
        assert self.scenario.conditional or proposed.keys() <= asked.keys()

    def check_cleaned(self, who: Worker) -> None:
        """Check that no trial of a worker known to be dead is RUNNING after a worker has asked."""
        assert self._rules(None, who.machine, self.world.pids).left_behind() == []

    def check_ledger(self) -> None:
        """Check that no reported trial is lost, and that running trials are RUNNING."""
        trials = self.trials
        for number, (state, values) in self.finished.items():
            assert trials[number].state == state
            assert values is None or trials[number].values == values
        for started in self.running:
            assert trials[started.number].state == TrialState.RUNNING

    def check_population(self) -> None:
        """Check that all workers see one population, equal to that of an undisturbed search."""
        found = self.fresh()
        for who in self.living:
            followed = self.followed(who)
            assert (followed is None) == (found is None)
            assert followed is None or found is None or bits(followed) == bits(found)
        if found is None:
            return
        self.check_open_seats(found)
        for generation, said in zip(found.generations, bits(found), strict=True):
            if generation.index < self.disturbed and is_final(generation):
                assert said == undisturbed(self.scenario).generation(generation.index)

    def check_open_seats(self, found: Population) -> None:
        """Check the open seats by the seat rules."""
        rules = self._rules(found, "", set())
        assert [(seat.generation, seat.number) for seat in found.open_seats()] == rules.open()
