"""Processes that die at any point, and the study they leave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.seats.seat_score import MAX_FAILURES
from relativenas_optuna.samplers.seats.worker import this_worker
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.samplers.searches import (
    KINDS,
    OBJECTIVE,
    SPACE,
    loss,
    new_sampler,
    scored,
    search,
    seated,
    state,
    suggest,
)
from tests.samplers.conftest import database


def kill_at(url: str, kind: str, number: int, where: str) -> None:
    """Run a search in a process of its own and kill it at a point."""
    arguments = [url, "s", kind, str(number), where]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.samplers.paused_search", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()


@pytest.mark.slow_except("objective")
@pytest.mark.parametrize(
    ("kind", "where", "number"),
    [
        ("paper, known", "objective", 5),
        ("paper, known", "claim", 0),
        ("paper, known", "arrival", 5),
        ("paper, learned", "objective", 0),
        ("paper, learned", "arrival", 0),
        ("migo, known", "objective", 5),
        ("migo, learned", "objective", 5),
    ],
)
def test_a_killed_process_leaves_no_running_trial_and_frees_its_seat(
    kind: str,
    where: str,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if where == "arrival":  # an unsigned trial may be anybody's, and is given a minute
        monkeypatch.setattr("relativenas_optuna.samplers.seats.follower.STILLBORN_AGE", 0.0)
        monkeypatch.setattr("relativenas_optuna.samplers.seats.replay.ARRIVAL_AGE", 0.0)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        optuna.create_study(storage=storage, study_name="s")
        kill_at(url, kind, number, where)
        sampler = KINDS[kind].sampler()
        study = optuna.load_study(storage=storage, study_name="s", sampler=sampler)
        assert study.trials[number].state == TrialState.RUNNING
        study.optimize(OBJECTIVE, n_trials=1)
        dead, following = study.trials[number:]
        assert dead.state == TrialState.FAIL
        assert dead.system_attrs[INTERRUPTED_KEY]
        assert seat_of(following) == Seat(number // 4, number % 4)
        if where == "objective":
            assert following.params == dead.params
        study.optimize(OBJECTIVE, n_trials=8 - number)
        undisturbed = KINDS[kind].search(9)
        assert scored(study) == scored(undisturbed)
        assert state(study) == state(undisturbed)


@pytest.mark.slow
def test_any_number_of_deaths_does_not_score_a_seat(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", sampler=new_sampler(SPACE))
        for number in range(MAX_FAILURES):
            kill_at(url, "paper, known", number, "objective")
        study.optimize(OBJECTIVE, n_trials=5)
        assert [t.state for t in study.trials[:MAX_FAILURES]] == [TrialState.FAIL] * MAX_FAILURES
        assert scored(study) == scored(search(space=SPACE, trials=5))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_any_worker_can_run_a_waiting_trial_with_a_seat(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with database(url) as storage:
        study = optuna.create_study(storage=storage, study_name="s", sampler=new_sampler(SPACE))
        kill_at(url, "paper, known", 1, "objective")
        dead = study.trials[1]
        storage.set_trial_state_values(dead._trial_id, TrialState.FAIL)
        RetryHeartbeatStaleTrialCallback()(study, dead)  # copies the attributes, the seat included
        study.sampler = new_sampler(SPACE)
        waiting = study.trials[2]
        others = [optuna.Trial(study, storage.create_new_trial(study._study_id))]
        states = [study.trials[2].state]
        retried = study.ask()
        assert (retried.number, seat_of(retried)) == (waiting.number, seat_of(dead))
        others.append(study.ask())
        states.append(study.trials[2].state)
        assert states == [TrialState.WAITING, TrialState.RUNNING]  # not that of a dead worker
        assert [seat_of(other) for other in others] == [Seat(0, 2), Seat(0, 3)]
        for trial in (*others, retried):
            study.tell(trial, loss(suggest(trial, SPACE), SPACE))
        study.optimize(OBJECTIVE, n_trials=5)
        assert state(study) == state(search(space=SPACE, trials=9))


def test_an_interrupted_start_leaves_no_trial_running(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    study.optimize(OBJECTIVE, n_trials=3)
    for method in (Claim.write, Claim.read):
        with monkeypatch.context() as patched:
            patched.setattr(Claim, method.__name__, interrupted)
            with pytest.raises(KeyboardInterrupt):
                study.ask()
    assert [t.state for t in study.trials[3:]] == [TrialState.FAIL] * 2
    study.optimize(OBJECTIVE, n_trials=6)
    undisturbed = search(space=SPACE, trials=9)
    assert scored(study) == scored(undisturbed)
    assert state(study) == state(undisturbed)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_read_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = new_sampler(SPACE)
    study = optuna.create_study(sampler=sampler)
    study.optimize(OBJECTIVE, n_trials=3)
    sampler.population(study)
    study.sampler = new_sampler(SPACE)
    study.optimize(OBJECTIVE, n_trials=3)
    with monkeypatch.context() as patched:
        patched.setattr(Claim, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sampler.population(study)
    study.sampler = sampler
    study.optimize(OBJECTIVE, n_trials=3)
    assert seated(study) == seated(search(space=SPACE, trials=9))


def test_a_claim_names_the_worker(tmp_path: Path) -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE))
    trial = study.ask()
    attrs = study._storage.get_trial_system_attrs(trial._trial_id)
    claim = Claim.read(attrs)
    assert claim is not None
    assert claim.worker == this_worker()
    assert set(claim.worker) == {"machine", "pid", "start"}
    assert claim.settings is not None
    second = Claim.read(study._storage.get_trial_system_attrs(study.ask()._trial_id))
    assert second is not None
    assert second.settings is None  # trial 0 carries them
