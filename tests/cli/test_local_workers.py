"""`relativenas search --workers N`: processes beside a search, and none of them afterwards."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from optuna.trial import TrialState

from relativenas_optuna.cli.local_workers import workers_beside
from relativenas_optuna.samplers.seats.claims import worker_of
from relativenas_optuna.samplers.seats.worker import is_dead
from relativenas_optuna.storages.interruption import was_interrupted
from tests.cli.commands.test_worker import (
    CPU,
    DATABASE,
    assert_scored_once,
    data,
    folder,
    plan,
    searched,
)
from tests.helpers.command import call, end, started, write_images
from tests.helpers.tiny_search import scores

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.command import Process

__all__ = ["data", "folder"]  # fixtures
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no process groups")
Capture = pytest.CaptureFixture[str]
PATIENCE = 240  # seconds; three processes that load PyTorch share the CPUs with other tests


def crew() -> list[psutil.Process]:
    """Return the workers beside this process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "worker" in child.cmdline():
                found.append(child)
    return found


def scored_by(count: int, search: Process) -> set[int]:
    """Wait until so many processes have scored; their pids."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        assert search.poll() is None
        with searched() as study:
            ended = study.get_trials(states=[TrialState.COMPLETE])
        pids = {worker_of(trial.system_attrs)["pid"] for trial in ended}
        if len(pids) >= count:
            return pids
        time.sleep(0.1)
    raise AssertionError(f"no more than {pids} have scored")


def test_two_workers_score_every_seat_once(folder: Path, data: Path, capfd: Capture) -> None:
    plan(data, generations=3)
    outcome = call(capfd, "search", *CPU, "--workers", "2")
    assert (outcome.status, outcome.err) == (0, "")
    assert "extend it:" in outcome.out
    with searched() as study:
        assert_scored_once(study, generations=3)
        stale = [trial.user_attrs.get("stale_commits") for trial in study.trials]
    assert len([number for number in stale if number is not None]) == 6
    assert not crew()


def assert_ended(search: Process, number: signal.Signals) -> None:
    """End a search by a signal; check its exit status and that no process of its group is left."""
    outcome = end(search)
    with pytest.raises(ProcessLookupError):
        os.killpg(search.pid, 0)
    assert outcome.status == 128 + number
    assert "Traceback" not in outcome.err
    assert "relativenas search --study s --device cpu --workers" in outcome.err
    assert outcome.err.count("go on:") == 1
    with searched() as study:
        # The second where the signal came within a statement of the database.
        saved = (
            f"{len(scores(study))} of 4000 candidates are saved",
            "what was saved before is kept",
        )
        assert any(f"interrupted: {words}" in outcome.err for words in saved)
        # A signal while a pair is asked for leaves it to the dead, from whom others take it.
        for trial in study.get_trials(states=[TrialState.RUNNING]):
            assert is_dead(worker_of(trial.system_attrs))
        assert all(was_interrupted(trial) for trial in study.get_trials(states=[TrialState.FAIL]))


@pytest.mark.slow
def test_ctrl_c_ends_search_and_workers(folder: Path, data: Path) -> None:
    plan(data, generations=1000)
    with started("search", *CPU, "--workers", "2", cwd=folder) as process:
        scored_by(2, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert_ended(process, signal.SIGINT)


@pytest.mark.slow
def test_a_search_goes_on_without_a_worker_and_sigterm_ends_the_others(
    folder: Path, data: Path
) -> None:
    plan(data, generations=1000)
    with started("search", *CPU, "--workers", "3", cwd=folder) as process:
        first = min(scored_by(3, process) - {process.pid})
        os.kill(first, signal.SIGKILL)
        with searched() as study:
            before = len(scores(study))
            while len(scores(study)) < before + 8:
                assert process.poll() is None
                time.sleep(0.1)
        process.terminate()
        assert_ended(process, signal.SIGTERM)


@pytest.mark.slow
def test_workers_end_when_the_search_was_killed(folder: Path, data: Path) -> None:
    plan(data, generations=1000)
    with started("search", *CPU, "--workers", "2", cwd=folder) as process:
        scored_by(2, process)
        workers = psutil.Process(process.pid).children()
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
        assert workers
        assert not alive
    with searched() as study:
        assert all(was_interrupted(trial) for trial in study.get_trials(states=[TrialState.FAIL]))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_workers_of_a_study_in_memory_are_refused(url: str, folder: Path, capfd: Capture) -> None:
    write_images(folder / "images", each=2)
    words = ("--storage", url, "--data", "images", "--device", "cpu")
    outcome = call(capfd, "search", *words, "--workers", "3")
    assert outcome.status == 1
    assert outcome.line == (
        "Error: workers must be 1 for a study in memory, which no other process sees; got 3"
    )


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none_is_refused(
    workers: str, folder: Path, capfd: Capture
) -> None:
    outcome = call(capfd, "search", "--workers", workers)
    assert outcome.status == 2
    assert "--workers" in outcome.line
    assert not list(folder.iterdir())


def test_a_password_is_in_no_command_line(folder: Path, capfd: Capture) -> None:
    url = "postgresql+psycopg2://me:secret@127.0.0.1:1/x"
    with workers_beside(2, storage=url, study="s", device="cpu"):
        lines = [" ".join(worker.cmdline()) for worker in crew()]
        assert len(lines) == 2
        for worker in crew():
            worker.send_signal(signal.SIGINT)  # which is not for them
        assert all("--study s" in line and "secret" not in line for line in lines)
    err = capfd.readouterr().err
    assert "2 of 2 workers ended with status 1, 1; their seats" in err
    assert err.count("postgresql+psycopg2://me:***@127.0.0.1:1/x cannot be opened") == 2
    assert "secret" not in err


def test_a_worker_that_is_killed_is_said_and_ends_nothing(folder: Path, capfd: Capture) -> None:
    with workers_beside(1, storage=DATABASE, study="s", device="cpu"):
        (worker,) = crew()
        worker.kill()
    assert "1 of 1 workers ended with status -9; their seats" in capfd.readouterr().err


def test_an_error_beside_workers_ends_them(folder: Path) -> None:
    def fail() -> None:
        with workers_beside(2, storage=DATABASE, study="s", device=None):
            assert len(crew()) == 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not crew()


def test_without_workers_there_are_none(folder: Path) -> None:
    with workers_beside(0, storage="sqlite://", study="s", device=None):
        assert not crew()
