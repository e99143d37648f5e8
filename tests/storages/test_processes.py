"""Processes that end or fork with parameters that wait, and those that make a database's tables."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import ENVIRONMENT
from tests.helpers.databases import (
    KINDS,
    NAMES,
    address,
    empty_database,
    experienced_study,
    suggest,
    wait_for,
)
from tests.helpers.forked import ForkedProcess, context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return address(request.param, tmp_path)


@pytest.fixture
def study(url: str) -> Iterator[optuna.Study]:
    with storage_at(url) as storage, experienced_study(storage) as created:
        yield created


PROCESS = """
import multiprocessing, os, signal, sys, time
import optuna
from relativenas_optuna.storages import parameter_buffer
from relativenas_optuna.storages.opening import open_storage
optuna.logging.set_verbosity(optuna.logging.ERROR)
url, name, end = sys.argv[1:]
study = optuna.load_study(
    study_name=name, storage=open_storage(url, heartbeat_interval=None),
    sampler=optuna.samplers.RandomSampler(),
)
NAMES = [trial.params for trial in study.trials][0]
if end != "sleep":
    parameter_buffer.DELAY = 600
def ask():
    trial = study.ask()
    for name in NAMES:
        trial.suggest_float(name, 0, 1)
    return trial
if end == "child":
    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    child.join()
    sys.exit(child.exitcode)
trial = ask()
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
elif end == "sleep":
    print("suggested", flush=True)
    time.sleep(600)
elif end == "fork":
    if os.fork() == 0:
        own = study.ask()
        own.suggest_float("x0", 0, 1)
        trial.set_user_attr("by", "child")
        study.tell(own, 1.0)
        sys.exit()
    assert os.wait()[1] == 0
    study.tell(trial, 2.0)
"""


def run(url: str, study: optuna.Study, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, study.study_name, end],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow_except("sqlite")
def test_a_killed_process_leaves_what_others_saw(url: str, study: optuna.Study) -> None:
    with run(url, study, "sleep") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "suggested\n"
        wait_for(url, study, 1, NAMES)
        process.kill()
    study.tell(1, 0.5)
    assert study.best_value <= 0.5


@pytest.mark.slow_except("postgresql")
def test_a_process_killed_with_its_parameters_leaves_a_whole_study(
    url: str, study: optuna.Study
) -> None:
    with run(url, study, "kill") as process:
        assert process.wait(timeout=60) == -9
    assert (study.trials[1].state, study.trials[1].params) == (TrialState.RUNNING, {})
    study.optimize(suggest, n_trials=1)
    study.tell(1, 0.5)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("end", ["exit", "child"])
def test_a_process_that_ends_writes_the_last(url: str, study: optuna.Study, end: str) -> None:
    with run(url, study, end) as process:
        assert process.wait(timeout=60) == 0
    assert list(study.trials[1].params) == NAMES


@pytest.mark.slow_except("postgresql")
def test_a_forked_process_has_trials_and_connections_of_its_own(
    url: str, study: optuna.Study
) -> None:
    with run(url, study, "fork") as process:
        assert process.wait(timeout=60) == 0
    mother, child = study.trials[1:]
    assert (list(mother.params), mother.value) == (NAMES, 2.0)
    assert mother.user_attrs == {"by": "child"}
    assert (list(child.params), child.value) == (["x0"], 1.0)


OTHER_OPTUNA = """
import sys
import optuna
from optuna.storages import RDBStorage
stock = RDBStorage._set_trial_param
def changed(self, trial_id, name, internal, distribution, previous):
    stock(self, trial_id, name, internal, distribution, previous)
RDBStorage._set_trial_param = changed
from relativenas_optuna.storages.search_storage import SearchStorage
from relativenas_optuna.storages.opening import storage_at
assert SearchStorage._set_trial_param is changed
with storage_at(sys.argv[1]) as storage:
    study = optuna.create_study(storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [list(trial.params) for trial in study.trials] == [["x"], ["x"]]
"""


def test_an_optuna_that_stores_parameters_otherwise_does_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    subprocess.run([sys.executable, "-c", OTHER_OPTUNA, url], env=ENVIRONMENT, check=True)


def open_and_search(url: str, barrier: Barrier) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    barrier.wait()
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage, study_name="mine", load_if_exists=True)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)


@pytest.mark.slow_except("mysql")
@pytest.mark.parametrize("kind", KINDS)
def test_processes_open_an_empty_database_at_the_same_moment(kind: str, tmp_path: Path) -> None:
    with empty_database(kind, tmp_path) as url:
        barrier = context.Barrier(4)
        processes = [
            ForkedProcess(open_and_search, url, barrier, cwd=tmp_path, environment=ENVIRONMENT)
            for _ in range(4)
        ]
        errors = []
        for process in processes:
            with process:
                errors.append(process.communicate(timeout=60)[1])
        assert errors == [""] * 4
        with storage_at(url) as storage:
            trials = optuna.load_study(storage=storage, study_name="mine").trials
        assert sorted(t.number for t in trials) == list(range(16))
