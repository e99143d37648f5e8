"""A study that many simulated workers search, a ledger of what they did, and what must hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.generation import Generation
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
    """A trial that somebody runs.

    Attributes:
        number: Of the trial.
        trial: As it was asked for; `None` where only its number is known.
        worker: Whose it is; `None` where it outlives the process that made it.
        study: Where it is told.
    """

    number: int
    trial: optuna.Trial | None
    worker: Worker | None
    study: optuna.Study


class InterleavedStudy:
    """One study, its workers, and what the ledger says of its trials.

    Attributes:
        running: Trials that can be told.
        finished: State and values of each trial that was told, by number.
        failures: How often the objective itself failed at each seat.
        disturbed: The lowest generation in which a seat was not scored as proposed.
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
        """Back to the real world."""
        self.world.end()
        self.place.close()

    @property
    def living(self) -> list[Worker]:
        """Workers that can still do something, and do nothing now."""
        world = self.world
        return [who for who in world.workers if who.alive and who not in world.current]

    def hire(self, machine: str, *, knows: bool = True) -> Worker:
        """Start a worker; one that knows nothing takes what the study was begun with."""
        begun = any(CLAIM in trial.system_attrs for trial in self.trials)
        asked = knows or not begun
        sampler = self.scenario.sampler() if asked else self.scenario.sampler_without_arguments()
        return self.world.hire(self.place.open(), sampler, machine)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All of the study's."""
        return self.study.get_trials(deepcopy=False)

    def fresh(self) -> Population | None:
        """The population as one sees it who knows nothing but the study."""
        return replayed(self.study)

    def followed(self, who: Worker) -> Population | None:
        """The population as a worker follows it."""
        with self.world.acting(who):
            return who.sampler.population(who.study)
        raise AssertionError("a worker does not die of looking")

    def rules(self, who: Worker) -> SeatRules:
        """What the rules say to this worker."""
        return self._rules(self.followed(who), who.machine, self.world.pids)

    def _rules(self, found: Population | None, machine: str, pids: set[int]) -> SeatRules:
        observer = Observer(machine, pids, self.world.clock, self.world.begun)
        rules = WholeGenerationRules if self.scenario.preset == "members" else SeatRules
        return rules(self.trials, self.failures, found, observer, *self._searched)

    @property
    def _searched(self) -> tuple[int, str]:
        return self.scenario.size, self.scenario.preset

    def ask(self, who: Worker, *, alone: bool) -> Running | None:
        """Let a worker ask; `None` where it died of it. `alone`: nothing happens in between."""
        waiting = [trial for trial in self.trials if trial.state == TrialState.WAITING]
        number = waiting[0].number if waiting else len(self.trials)
        claimed = place_of(waiting[0]) if waiting else None
        expected = claimed or self.rules(who).seat_of(number)
        asked = None
        with self.world.acting(who):
            asked = who.study.ask()
        if asked is None:
            return None
        begun = self.begin(asked, who)
        if alone:
            assert asked.number == number
            assert place_of(self.trials[number]) == expected
        if claimed is None:
            self.check_cleaned(who)
        return begun

    def begin(self, trial: optuna.Trial, who: Worker | None) -> Running:
        """Note that a trial runs."""
        begun = Running(trial.number, trial, who, trial.study)
        self.running.append(begun)
        return begun

    def seat(self, number: int) -> Seat:
        """The seat of a trial."""
        found = place_of(self.trials[number])
        assert found is not None
        return found

    def kill(self, who: Worker) -> None:
        """The end of a process, and of what only it could tell."""
        who.alive = False
        self.running = [trial for trial in self.running if trial.worker is not who]

    def open(self, begun: Running, who: Worker) -> optuna.Trial | None:
        """A trial to be told, opened by `who` where its asker is gone or told only its number."""
        if begun.trial is not None and (begun.worker is None or begun.worker.alive):
            return begun.trial
        trial_id = self.trials[begun.number]._trial_id
        with self.world.acting(who):
            begun.trial = optuna.Trial(who.study, trial_id)
        begun.worker, begun.study = who, who.study
        return begun.trial

    def suggest(self, begun: Running, who: Worker) -> dict[str, Any]:
        """The parameters of a running trial."""
        trial = self.open(begun, who)
        assert trial is not None
        with self.world.acting(begun.worker or who):
            params = self.scenario.suggest(trial)
        self.check_params(begun.number, params, begun.worker or who)
        return params

    def told(self, begun: Running, state: TrialState, values: list[float] | None = None) -> None:
        """Note how a trial ended."""
        self.running.remove(begun)
        self.finished[begun.number] = state, values
        found = place_of(self.trials[begun.number])
        if found is None:
            return
        if state == TrialState.FAIL:
            self.failures[found] += 1
        if state == TrialState.PRUNED or self.failures[found] >= 3:
            self.disturb(found)

    def disturb(self, seat: Seat) -> None:
        """Note that a seat is not scored as it was proposed."""
        self.disturbed = min(self.disturbed, seat[0])

    def check_params(self, number: int, params: dict[str, Any], who: Worker) -> None:
        """A trial has the parameters of its seat, but for those that were fixed."""
        trial, population = self.trials[number], self.followed(who)
        found = place_of(trial)
        fixed = trial.system_attrs.get("fixed_params", {})
        if found is None or population is None:
            return
        if fixed:
            self.disturb(found)
            assert params.items() >= fixed.items()
        generation = population.generations[found[0]]
        if generation.encoding is None:
            return
        if isinstance(generation, Generation) and generation.learned[found[1] // 2]:
            return
        position = generation.positions[generation.member(found[1])]
        proposed = generation.encoding.decode(position)
        asked = {name: value for name, value in {**proposed, **fixed}.items() if name in params}
        assert asked == {name: params[name] for name in asked}
        assert self.scenario.conditional or proposed.keys() <= asked.keys()

    def check_cleaned(self, who: Worker) -> None:
        """Nothing that a worker knows to be dead stays RUNNING when it has asked."""
        assert self._rules(None, who.machine, self.world.pids).left_behind() == []

    def check_ledger(self) -> None:
        """No trial that was told is lost, none has ended that nobody told and nobody left."""
        trials = self.trials
        for number, (state, values) in self.finished.items():
            assert trials[number].state == state
            assert values is None or trials[number].values == values
        for begun in self.running:
            assert trials[begun.number].state == TrialState.RUNNING

    def check_population(self) -> None:
        """All see one population, and its complete generations are those of a quiet search."""
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
        """Open seats are those that the rules say."""
        rules = self._rules(found, "", set())
        assert [(seat.generation, seat.number) for seat in found.open_seats()] == rules.open()
