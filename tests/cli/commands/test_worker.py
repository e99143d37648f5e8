"""`relativenas worker`, in processes of its own, beside a search in this one."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.cli.main import main
from relativenas_optuna.samplers.seats.claims import Seat, worker_of
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.storages.interruption import was_interrupted
from relativenas_optuna.storages.opening import storage_at
from tests.helpers import faults
from tests.helpers.command import call, end, started, wait_for
from tests.helpers.forked import context
from tests.helpers.tiny_search import SEED, SETTINGS, scores, write_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.command import Outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
Capture = pytest.CaptureFixture[str]
DATABASE = "sqlite:///relativenas.db"
CPU = ("--study", "s", "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(data: Path, *, generations: int) -> None:
    """Begin the study "s" of the smallest search, as far as its plan goes."""
    request = SearchRequest(
        data=str(data),
        seed=SEED,
        settings=asdict(replace(SETTINGS, generations=generations)),
        finals=0,
    )
    with storage_at(DATABASE) as storage:
        study = optuna.create_study(study_name="s", storage=storage)
        planned = SearchPlan.of(study, request)
        Path(planned.out).mkdir(parents=True)  # as a search does first
        planned.store(study)


@contextmanager
def searched() -> Iterator[optuna.Study]:
    with storage_at(DATABASE, create=False) as storage:
        yield optuna.load_study(study_name="s", storage=storage)


def assert_scored_once(study: optuna.Study, *, generations: int) -> None:
    """Check that every seat has one score, every pair one commit, and nothing is left over."""
    everywhere = {Seat(g, s) for g in range(generations) for s in range(SETTINGS.population)}
    assert scores(study).keys() == everywhere
    assert not study.get_trials(states=[TrialState.RUNNING, TrialState.WAITING])
    assert all(was_interrupted(trial) for trial in study.get_trials(states=[TrialState.FAIL]))
    complete = study.get_trials(states=[TrialState.COMPLETE])
    trained = [t for t in complete if t.user_attrs["seconds_train"] > 0]
    pairs = Counter(
        (trial.user_attrs["generation"], trial.user_attrs["seat"] // 2)
        for trial in trained
        if "stale_commits" in trial.user_attrs
    )
    assert set(pairs.values()) == {1}
    # The others are known from a process that died before the study was told.
    assert len(everywhere) // 2 - len(pairs) <= len(complete) - len(trained) <= 1


@pytest.mark.slow
def test_a_worker_waits_for_a_search_and_helps_it(folder: Path, data: Path, capfd: Capture) -> None:
    generations = 6
    with started("worker", *CPU, cwd=folder) as process:
        plan(data, generations=generations)
        wait_for(process, f"on cpu: 0 of {generations * SETTINGS.population} scored")
        search = call(capfd, "search", *CPU)
        worker = end(process)
    assert (search.status, search.err) == (0, "")
    assert (worker.status, worker.err) == (0, "")
    with searched() as study:
        assert_scored_once(study, generations=generations)
        share = Counter(worker_of(trial.system_attrs)["pid"] for trial in study.trials)
        stale = [trial.user_attrs.get("stale_commits") for trial in study.trials]
    assert share.keys() == {os.getpid(), process.pid}
    assert f"scored {share[process.pid]}; the search of study 's' is finished" in worker.out
    assert Counter(number is None for number in stale) == {True: 12, False: 12}
    # To whoever comes later nothing is left.
    late = call(capfd, "worker", *CPU)
    assert (late.status, late.err) == (0, "")
    assert "scored 0; the search of study 's' is finished" in late.out


@pytest.mark.parametrize("begun", [False, True], ids=["no study", "no plan"])
def test_a_wait_for_a_study_that_nobody_begins_ends_in_one_line(
    begun: bool, folder: Path, capfd: Capture
) -> None:
    if begun:
        with storage_at(DATABASE) as storage:
            optuna.create_study(study_name="it's", storage=storage)
    outcome = call(capfd, "worker", "--study", "it's", "--wait", "1")
    assert outcome.status == 1
    why = "no search of this name is in" if begun else "there is no database"
    error = f""""it's" was not started within 1 second: {why} {DATABASE}. Start it by"""
    assert error in outcome.line
    assert "search --study 'it'\"'\"'s'`" in outcome.line
    waiting = f"""waiting up to 1 second for the start of study "it's" in {DATABASE}"""
    assert outcome.out.splitlines() == [waiting]
    assert (folder / "relativenas.db").exists() == begun


@pytest.mark.slow
def test_a_worker_takes_the_folder_of_the_search_where_it_is_mounted(
    folder: Path, data: Path, capfd: Capture
) -> None:
    plan(data, generations=1)
    assert call(capfd, "search", *CPU, "--generations", "1").status == 0
    (folder / "relativenas-out" / "s").rename(folder / "mounted")
    (folder / "relativenas-out").rmdir()
    (folder / "relativenas-out").write_text("")  # where none can be made
    with searched() as study:
        found = SearchPlan.stored_in(study)
        assert found is not None
        settings = replace(found.settings, generations=2)
        replace(found, settings=settings).store(study)
    missing = call(capfd, "worker", *CPU, "--out", "elsewhere")
    assert "out must be the folder of the search; there is none at 'elsewhere'" in missing.line
    lost = call(capfd, "worker", *CPU, "--weights", "elsewhere")
    assert "weights must be the folder of the search's weights; there is none at" in lost.line
    assert not (folder / "elsewhere").exists()
    worker = call(capfd, "worker", *CPU, "--out", "mounted")
    assert (worker.status, worker.err) == (0, "")
    assert "on cpu: 4 of 8 scored" in worker.out
    with searched() as study:
        assert_scored_once(study, generations=2)
        assert SearchPlan.stored_in(study) == replace(found, settings=settings)
    again = call(capfd, "fidelity", *CPU, "--out", "mounted", "--sample", "2", "--epochs", "1")
    assert (again.status, again.err) == (0, "")


def work(folder: Path, fault: str) -> None:
    """Run the command in a process that is forked after the imports."""
    os.chdir(folder)
    faults.arm(fault)
    main(["worker", *CPU])


@pytest.mark.slow_except("rename")
@pytest.mark.parametrize("point", faults.POINTS)
def test_a_worker_that_is_killed_harms_nothing(
    point: str, folder: Path, data: Path, capfd: Capture
) -> None:
    generations = 2
    plan(data, generations=generations)
    process = context.Process(target=work, args=(folder, f"{point}:3"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    search = call(capfd, "search", *CPU)
    assert (search.status, search.err) == (0, "")
    with searched() as study:
        assert_scored_once(study, generations=generations)


def test_a_signal_ends_a_worker_in_order(folder: Path, data: Path, capfd: Capture) -> None:
    plan(data, generations=500)
    with started("worker", *CPU, cwd=folder) as process:
        wait_for(process, "scored")
        while True:
            with searched() as study:
                if scores(study):
                    break
        process.terminate()
        outcome: Outcome = end(process)
    assert outcome.status == 143
    assert "Traceback" not in outcome.err
    assert "interrupted: all scores are kept in study 's'" in outcome.err
    with searched() as study:
        assert all(was_interrupted(trial) for trial in study.get_trials(states=[TrialState.FAIL]))
