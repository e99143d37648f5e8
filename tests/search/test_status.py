"""The status of a study: counts against its trials, times by hand."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from relativenas_optuna.cli.output.status import StatusReport
from relativenas_optuna.samplers.migo.sampler import MIGOSampler
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.search_view import SearchView
from relativenas_optuna.samplers.seats import population as seats
from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, claim_data
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.status import seconds_left, status_of
from relativenas_optuna.storages.interruption import mark_interrupted
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.samplers.random_members import RandomMembers, RandomMembersSampler

if TYPE_CHECKING:
    from pathlib import Path

SPACE = {"x": FloatDistribution(-1, 1), "y": FloatDistribution(-1, 1)}
BEGIN = datetime(2026, 1, 1)


def begun(storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    sampler = RelativeNASSampler(SPACE, population_size=4, seed=0, preset="paper")
    return optuna.create_study(storage=storage, study_name="s", sampler=sampler)


def value(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_float("y", -1, 1)


def planned(
    study: optuna.Study, *, generations: int = 3, finals: int | None = None, **settings: int
) -> None:
    """Say of a study what `relativenas search` would."""
    settings |= {"population": 4, "generations": generations}
    request = SearchRequest(settings=settings, finals=finals)
    # As `SearchPlan.store` does, which loads PyTorch.
    study.set_user_attr(PLAN_ATTRIBUTE, asdict(SearchPlan.of(study, request)))


def ended(start: float, end: float) -> optuna.trial.FrozenTrial:
    trial = create_trial(value=0.0)
    trial.datetime_start = BEGIN + timedelta(seconds=start)
    trial.datetime_complete = BEGIN + timedelta(seconds=end)
    return trial


def test_a_study_is_counted_as_its_trials_are() -> None:
    study = begun()
    planned(study)
    study.optimize(value, n_trials=6)
    study.ask()
    status = status_of(study)
    assert (status.scored, status.total, status.running) == (6, 12, 1)
    assert (status.generation, status.generations, status.complete_generations) == (2, 3, 1)
    assert (status.failed, status.lost, status.interrupted, status.finished) == (0, 0, 0, False)
    assert status.best is not None
    assert (status.best.trial, status.best.loss) == (study.best_trial.number, study.best_value)
    (worker,) = status.workers
    assert worker.trials == (6,)
    (first,) = status.history
    view = SearchView.of(study)
    assert view is not None
    values = sorted(m.values[0] for m in view.generations[0].members if m.values)
    assert (first.best, first.median) == (values[0], (values[1] + values[2]) / 2)
    assert first.diversity == view.generations[0].diversity
    assert status.seconds_left is not None


def test_a_pass_of_the_finals_counts_as_long_as_a_candidate() -> None:
    study = begun()
    planned(study, finals=0, uniform_epochs=0)
    study.optimize(value, n_trials=6)
    study.ask()
    without = status_of(study).seconds_left
    study.set_user_attr(PLAN_ATTRIBUTE, None)
    planned(study, finals=8, uniform_epochs=0)
    left = status_of(study).seconds_left
    assert without is not None
    assert left is not None
    passes = 8 * 1 + 2 * 2  # of 12 planned ones
    assert left / without == pytest.approx((6 + passes) / 6)


def test_a_failed_objective_and_a_worker_that_ended_are_told_apart() -> None:
    study = begun()
    study.tell(study.ask(), state=TrialState.FAIL)
    interrupted = study.ask()
    mark_interrupted(study._storage, interrupted._trial_id)
    study.tell(interrupted, state=TrialState.FAIL)
    status = status_of(study)
    assert (status.failed, status.interrupted, status.scored) == (1, 1, 0)
    assert status.total is None


def test_the_trial_of_a_dead_worker_is_lost_and_no_worker_is_listed() -> None:
    study = begun()
    trial = study.ask()
    with subprocess.Popen(["true"]) as process:
        pass
    claim = claim_data(study.trials[0].system_attrs)
    claim["worker"] = claim["worker"] | {"pid": process.pid}
    study._storage.set_trial_system_attr(trial._trial_id, CLAIM_KEY, json.dumps(claim))
    status = status_of(study)
    assert (status.running, status.lost, status.workers) == (0, 1, ())


def test_a_trial_without_sign_of_life_is_lost_and_stays_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with storage_at(url, heartbeat_interval=None) as storage:
        study = begun(storage)
        trial = study.ask()
        storage.record_heartbeat(trial._trial_id)
        with storage.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')"
            )
        before = study.trials[0]
        with storage_at(url, read_only=True) as reading:
            status = status_of(optuna.load_study(study_name="s", storage=reading))
        assert (status.running, status.lost, status.workers) == (0, 1, ())
        assert study.trials[0] == before


@pytest.mark.parametrize("directions", [["minimize"], ["maximize"], ["minimize", "maximize"]])
def test_a_study_of_another_sampler_shows_what_it_has(directions: list[Any]) -> None:
    study = optuna.create_study(
        directions=directions, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(lambda t: [value(t)] * len(directions), n_trials=5)
    study.ask()
    status = status_of(study)
    assert (status.scored, status.running, status.generation, status.sampler) == (5, 1, None, None)
    if len(directions) == 1:
        assert status.best is not None
        assert status.best.loss == study.best_value
    else:
        assert (status.best, status.front) == (None, len(study.best_trials))
    assert status.to_dict()["directions"] == directions


def test_the_time_left_is_that_of_the_last_trials() -> None:
    # Two workers, of 10 seconds a trial: a seat takes 5.
    beside = [ended(10 * (n // 2), 10 * (n // 2 + 1)) for n in range(60)]
    assert seconds_left(beside, left=8, population=20) == pytest.approx(40)
    # One of 2 seconds that was ended for an hour.
    paused = [ended(2 * n, 2 * n + 2) for n in range(5)]
    paused += [ended(3600 + 2 * n, 3602 + 2 * n) for n in range(5)]
    assert seconds_left(paused, left=3, population=20) == pytest.approx(6)
    # Slower trials of long ago do not count.
    faster = [ended(100 * n, 100 * n + 100) for n in range(10)]
    faster += [ended(1000 + n, 1001 + n) for n in range(40)]
    assert seconds_left(faster, left=5, population=40) == pytest.approx(5)
    assert seconds_left([], left=5, population=4) is None


def test_an_unreadable_plan_is_one_line() -> None:
    study = begun()
    study.set_user_attr(PLAN_ATTRIBUTE, {"data": 3})
    with pytest.warns(UserWarning, match="has an unreadable attribute .* it is ignored"):
        assert status_of(study).generations is None


class OwnMembers(RandomMembers):
    sampler = "OwnSampler"


class OwnSampler(RandomMembersSampler):
    """A sampler that this process knows only while its class is registered."""

    population_class = OwnMembers

    def __init__(self) -> None:
        super().__init__(dict(SPACE), 4, seed=0)


def text_of(study: optuna.Study) -> str:
    return StatusReport(status_of(study), storage="sqlite://").text


@pytest.mark.parametrize(
    ("sampler", "line"),
    [
        (
            RelativeNASSampler(population_size=4, preset="paper"),
            "RelativeNASSampler, preset paper, population 4",
        ),
        (MIGOSampler(SPACE, population_size=12, seed=0), "MIGOSampler, population 12"),
        (OwnSampler(), "OwnSampler, population 4"),
        (optuna.samplers.NSGAIISampler(seed=0), "NSGAIISampler, without generations"),
    ],
)
def test_the_status_names_the_sampler_and_its_population(
    sampler: optuna.samplers.BaseSampler, line: str
) -> None:
    study = optuna.create_study(study_name="s", sampler=sampler)
    study.optimize(value, n_trials=2)
    assert f"search      {line}\n" in text_of(study)


def test_the_status_of_a_sampler_of_another_process_says_what_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = optuna.create_study(study_name="s", sampler=OwnSampler())
    study.optimize(value, n_trials=2)
    monkeypatch.delitem(seats._CLASSES, "OwnSampler")
    status = status_of(study)
    assert (status.sampler, status.population, status.generation) == ("OwnSampler", 4, None)
    said = "OwnSampler, population 4, whose generations only its own module can read\n"
    assert said in text_of(study)
