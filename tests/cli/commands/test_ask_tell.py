"""The sampler from the shell: JSON out, on studies that Optuna's own command made."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.migo.sampler import MIGOSampler
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, worker_of
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.ask_tell_shell import NEW, PROGRAM, SPACE, SPACE_JSON, Shell, created, parsed
from tests.helpers.command import ENVIRONMENT
from tests.helpers.databases import KINDS, empty_database

if TYPE_CHECKING:
    from pathlib import Path
Capture = pytest.CaptureFixture[str]
Record = dict[str, Any]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return created(tmp_path, "my")


@pytest.fixture
def two(tmp_path: Path) -> Shell:
    return created(tmp_path, "two")


def loss(params: Record) -> float:
    """Return the loss of parameters, from the shell or from the sampler."""
    ops = {None: 0.1, "Infinity": 0.2, float("inf"): 0.2, "skip": 0.3}
    return float((params["x"] - 0.3) ** 2 + ops[params["op"]] - 1.0)


def positions(study: optuna.Study) -> list[list[list[float]]]:
    sampler = study.sampler
    assert isinstance(sampler, RelativeNASSampler)
    population = sampler.population(study)
    assert population is not None
    return [
        [*generation.positions.tolist(), *generation.velocities.tolist()]
        for generation in population.generations
    ]


def in_process(directions: list[StudyDirection], objective: Any, trials: int) -> optuna.Study:
    study = optuna.create_study(
        directions=directions, sampler=RelativeNASSampler(SPACE, population_size=4, seed=7)
    )
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, objective(trial))
    return study


@pytest.mark.slow
def test_a_search_by_fresh_processes_alone_is_that_of_one_process(shell: Shell) -> None:
    for number in range(5):
        asked = shell.fresh("ask", *(NEW if number == 0 else ()))
        assert list(asked) == ["study", "number", "generation", "seat", "params"]
        assert list(asked["params"]) == list(SPACE)
        assert (asked["study"], asked["number"]) == ("my", number)
        value = str(loss(asked["params"]))  # below 0, most of them
        if number % 2:
            shell.by_optuna("tell", "--trial-number", str(number), f"--values={value}")
        else:
            told = shell.fresh("tell", str(number), "--value", value)
            values = [float(value)]
            assert told == {"study": "my", "number": number, "state": "COMPLETE", "values": values}
    study = in_process([StudyDirection.MINIMIZE], lambda trial: loss(trial.params), 5)
    found = shell.look(positions)
    assert len(found) > 1
    assert np.array_equal(found, positions(study), equal_nan=True)


@pytest.mark.slow
def test_two_objectives_and_a_constraint_search_as_in_one_process(
    two: Shell, capfd: Capture
) -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        trial.set_constraint("size=", trial.params["x"])
        return loss(trial.params), -trial.params["x"]

    for number in range(8):
        asked = two.json(capfd, "ask", *(NEW if number == 0 else ()))
        x = asked["params"]["x"]
        values = ("--value", str(loss(asked["params"])), "--value", str(-x))
        told = two.json(capfd, "tell", str(number), *values, "--constraint", f"size=={x}")
        assert told["values"] == [loss(asked["params"]), -x]
    study = in_process([StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE], objective, 8)
    assert two.look(lambda study: [t.constraints for t in study.trials]) == [
        t.constraints for t in study.trials
    ]
    assert np.array_equal(two.look(positions), positions(study), equal_nan=True)


def test_a_whole_generation_is_a_list_that_optuna_tells(shell: Shell, capfd: Capture) -> None:
    asked = shell.json(capfd, "ask", "--generation", *NEW)
    assert [(a["number"], a["generation"], a["seat"]) for a in asked] == [
        (number, 0, number) for number in range(4)
    ]
    assert shell.json(capfd, "ask", "--generation") == []
    for record in asked:
        value = str(loss(record["params"]))
        shell.json(capfd, "tell", str(record["number"]), "--value", value)
    following = shell.json(capfd, "ask", "--generation")
    assert [a["generation"] for a in following] == [1, 1]


@pytest.mark.slow
def test_enqueued_trials_are_popped_by_optuna_and_by_ask(shell: Shell, capfd: Capture) -> None:
    enqueued = shell.json(capfd, "ask", "--enqueue", *NEW)
    assert [record["seat"] for record in enqueued] == [0, 1, 2, 3]
    waiting = shell.run(capfd, "tell", "1", "--value", "1")
    assert waiting.line == "Error: trial 1 waits for a worker: ask for it first"
    popped = json.loads(shell.by_optuna("ask", "--search-space", SPACE_JSON))
    assert popped["number"] == 0
    assert popped["params"]["x"] == enqueued[0]["params"]["x"]
    assert shell.json(capfd, "ask") == enqueued[1]
    shell.by_optuna("tell", "--trial-number", "0", "--values", "1")
    assert shell.look(pop_as_stock) == (2, enqueued[2]["params"]["x"])
    shell.json(capfd, "tell", "1", "--value", "0")
    states = shell.look(lambda study: [trial.state.name for trial in study.trials])
    assert states == ["COMPLETE", "COMPLETE", "RUNNING", "WAITING"]


def pop_as_stock(study: optuna.Study) -> tuple[int, float]:
    study.sampler = optuna.samplers.RandomSampler()
    trial = study.ask()
    return trial.number, trial.suggest_float("x", -1, 1)


def test_trials_outlive_the_process_that_asked(shell: Shell, capfd: Capture) -> None:
    """Trials of free seats, enqueued trials and an extra trial keep running."""
    first = shell.fresh("ask", *NEW)
    shell.look(lambda study: study.enqueue_trial({"x": 0.25}))
    enqueued = shell.fresh("ask")
    assert enqueued["params"]["x"] == 0.25
    rest = shell.fresh("ask", "--generation")
    extra = shell.fresh("ask")
    assert len(rest) == 2
    assert (extra["generation"], extra["seat"]) == (None, None)
    assert extra["params"] not in [asked["params"] for asked in (first, enqueued, *rest)]
    shell.json(capfd, "ask")  # looks for workers that died
    states = shell.look(lambda study: {trial.state for trial in study.trials})
    assert states == {TrialState.RUNNING}
    assert shell.look(lambda s: [worker_of(t.system_attrs) for t in s.trials]) == [{}] * 6
    assert shell.json(capfd, "tell", "1", "--value", "1")["state"] == "COMPLETE"


def test_a_failure_that_is_told_is_the_objectives(shell: Shell, capfd: Capture) -> None:
    for number, words in enumerate([("--state", "fail"), ("--value", "nan"), ("--state", "fail")]):
        asked = shell.json(capfd, "ask", *(NEW if number == 0 else ()))
        assert (asked["number"], asked["seat"]) == (number, 0)
        outcome = shell.run(capfd, "tell", str(number), *words)
        assert parsed(outcome.out) == {
            "study": "my",
            "number": number,
            "state": "FAIL",
            "values": None,
        }
        warned = "Warning: trial 1 is FAIL, because a value is NaN\n"
        assert (outcome.status, outcome.err) == (0, warned if number == 1 else "")
    assert shell.json(capfd, "ask")["seat"] == 1
    population = shell.look(RelativeNASSampler().population)
    assert population is not None
    assert population.is_scored(Seat(0, 0))


def test_a_pruned_trial_has_what_was_reported(shell: Shell, capfd: Capture) -> None:
    shell.json(capfd, "ask", *NEW)
    reports = ("--report", "3=-0.5", "--report", "1=inf")
    told = shell.json(capfd, "tell", "0", "--state", "pruned", *reports)
    assert (told["state"], told["values"]) == ("PRUNED", [-0.5])
    (trial,) = shell.look(lambda study: study.trials)
    assert trial.intermediate_values == {1: float("inf"), 3: -0.5}
    shell.json(capfd, "ask")
    assert shell.json(capfd, "tell", "1", "--value", "-inf")["values"] == ["-Infinity"]


def test_a_finished_trial_can_be_skipped(shell: Shell, capfd: Capture) -> None:
    shell.json(capfd, "ask", *NEW)
    first = shell.json(capfd, "tell", "0", "--value", "1")
    assert shell.json(capfd, "tell", "0", "--value", "2", "--skip-if-finished") == first
    line = shell.run(capfd, "tell", "0", "--value", "2").line
    assert line == (
        "Error: trial 0 is finished already (COMPLETE): --skip-if-finished accepts this"
    )


@pytest.mark.slow_except("sqlite")
@pytest.mark.parametrize("kind", KINDS)
def test_processes_that_ask_at_once_get_seats_of_their_own(kind: str, tmp_path: Path) -> None:
    with empty_database(kind, tmp_path) as url:
        shell = Shell(url, "at once")
        with storage_at(url) as storage:
            optuna.create_study(study_name=shell.name, storage=storage)
        words = [*PROGRAM, *shell.words("ask", *NEW)]
        processes = [
            subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        seats = [parsed(process.communicate(timeout=120)[0])["seat"] for process in processes]
        assert sorted(seats) == [0, 1, 2]
        assert shell.look(lambda study: len(study.trials)) == 3


def test_a_space_that_was_learned_need_not_be_said(shell: Shell, capfd: Capture) -> None:
    def optimize(study: optuna.Study, trials: int) -> None:
        study.sampler = RelativeNASSampler(population_size=2, seed=7)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=trials)

    shell.look(lambda study: optimize(study, 1))
    for words in ((), ("--generation",), ("--enqueue",)):
        line = shell.run(capfd, "ask", *words).line
        assert "study 'my' are not known yet: it was started without a search space" in line
    assert "started without one" in shell.run(capfd, "ask", "--search-space", SPACE_JSON).line
    shell.look(lambda study: optimize(study, 1))
    asked = shell.json(capfd, "ask")
    assert asked["generation"] == 1
    assert list(asked["params"]) == ["x"]
    assert shell.look(lambda study: len(study.trials)) == 3


def test_migo_is_asked_for_and_continued_without_its_name(shell: Shell, capfd: Capture) -> None:
    words = ("--search-space", SPACE_JSON, "--sampler", "migo", "--population", "10", "--seed", "7")
    study = optuna.create_study(sampler=MIGOSampler(SPACE, population_size=10, seed=7))
    for number in range(12):
        trial = study.ask(SPACE)
        study.tell(trial, loss(trial.params))
        asked = shell.json(capfd, "ask", *(words if number == 0 else ()))
        assert (asked["generation"], asked["seat"]) == divmod(number, 10)
        assert asked["params"]["x"] == trial.params["x"]
        shell.json(capfd, "tell", str(number), "--value", str(loss(asked["params"])))
    for sampler, said in (
        ("relativenas", "was started by MIGOSampler, not by RelativeNASSampler"),
        ("migo", "sampler 'migo' has no presets: leave out preset 'plain'"),
    ):
        refused = shell.run(capfd, "ask", "--sampler", sampler, "--preset", "plain")
        assert refused.status == 1
        assert said in refused.line
