"""The number of CPU threads of commands: chosen, said, recorded, and taken again."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
import torch

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.evaluation.standalone.state import recorded_threads
from relativenas_optuna.search.threads import THREADS_ATTRIBUTE, set_study_threads
from relativenas_optuna.training.threads import VARIABLE, ThreadChoice
from tests.helpers.command import ENVIRONMENT, PROGRAM, call, write_study_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
CORES = available_cores()
ROOM = "of 1 core" if CORES == 1 else f"of {CORES} cores"


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin without a choice of the user."""
    monkeypatch.delenv(VARIABLE, raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def set_for(
    study: optuna.Study, given: int | None = None, *, workers: int = 1, device: str = "cpu"
) -> tuple[str | None, int]:
    """Set the threads for a study whose fastest number is the largest."""

    def measure(most: int) -> ThreadChoice:
        torch.set_num_threads(most)
        return ThreadChoice(most, most, {})

    line = set_study_threads(
        study, given, device=device, workers=workers, attribute=THREADS_ATTRIBUTE, measure=measure
    )
    return line, torch.get_num_threads()


def test_a_study_keeps_the_number_until_the_user_gives_another() -> None:
    study = optuna.create_study()
    assert set_for(study) == (f"threads: {CORES} {ROOM}", CORES)
    assert study.user_attrs == {THREADS_ATTRIBUTE: CORES}
    assert set_for(study) == (f"threads: {CORES} {ROOM}, as before", CORES)
    line, threads = set_for(study, CORES + 1)
    assert line is not None
    assert f"by --threads, {CORES} before" in line
    assert threads == study.user_attrs[THREADS_ATTRIBUTE] == CORES + 1
    # Of fewer cores, all are taken, and the study keeps its number for the other machine.
    line, threads = set_for(study)
    assert line is not None
    assert f"threads: {CORES} {ROOM}, {CORES + 1} before" in line
    assert (threads, study.user_attrs[THREADS_ATTRIBUTE]) == (CORES, CORES + 1)


def test_workers_share_the_cores() -> None:
    assert set_for(optuna.create_study(), workers=2)[1] == max(1, CORES // 2)
    assert set_for(optuna.create_study(), workers=CORES + 1)[1] == 1


@pytest.mark.parametrize("junk", ["two", 0, [2], -1, 1.5, None])
def test_an_attribute_that_is_no_number_of_threads_is_replaced(junk: object) -> None:
    study = optuna.create_study()
    study.set_user_attr(THREADS_ATTRIBUTE, junk)
    set_for(study)
    assert study.user_attrs == {THREADS_ATTRIBUTE: CORES}


def test_on_a_gpu_only_a_given_number_is_set() -> None:
    study = optuna.create_study()
    torch.set_num_threads(4)
    assert set_for(study, device="cuda:0") == (None, 4)
    assert set_for(study, device="cuda", workers=2) == (None, 2)
    assert set_for(study, 3, device="cuda", workers=2) == (None, 3)
    assert study.user_attrs == {}


@pytest.mark.slow
def test_the_commands_of_a_search_say_the_number_and_take_it_again(
    folder: Path, capfd: Capture
) -> None:
    write_study_file(folder, "mine", generations=1)
    begun = call(capfd, "run", "mine.toml")
    assert (begun.status, begun.err) == (0, "")
    (line,) = [line for line in begun.out.splitlines() if line.startswith("threads: ")]
    study = optuna.load_study(study_name="mine", storage="sqlite:///relativenas.db")
    threads = study.user_attrs[THREADS_ATTRIBUTE]
    assert line.startswith(f"threads: {threads} {ROOM}")
    more = call(capfd, "search", "--study", "mine", "--generations", "2")
    assert f"threads: {threads} {ROOM}, as before" in more.out
    ranked = call(capfd, "fidelity", "--study", "mine", "--sample", "2", "--epochs", "1")
    assert f"threads: {threads} {ROOM}, as before" in ranked.out
    joined = call(capfd, "worker", "--study", "mine", "--threads", f"{threads + 1}")
    assert f"threads: {threads + 1}, by --threads, {threads} before" in joined.out


@pytest.mark.slow
def test_a_training_keeps_its_number_with_its_state(finished: Path, capfd: Capture) -> None:
    words = ["train", "--study", "mine", "--out", "trained", "--set", "channels=2"]
    begun = call(capfd, *words, "--set", "cells=3", "--set", "epochs=1", "--threads", "1")
    assert begun.status == 0, begun.err
    assert "threads: 1, by --threads" in begun.out
    assert recorded_threads(finished / "trained") == 1
    again = call(capfd, *words, "--set", "cells=3", "--set", "epochs=1")
    assert f"threads: 1 {ROOM}, as before" in again.out
    other = call(capfd, *words, "--set", "cells=4", "--set", "epochs=1", "--out", "other")
    assert f" {ROOM}" in other.out
    assert recorded_threads(finished / "other") is not None


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep cores busy with other processes."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds_of_search(folder: Path, name: str, **environment: str) -> float:
    """Return how long a search of the digits takes."""
    words = ["search", "--study", name, "--population", "4", "--generations", "1"]
    surroundings = {name: value for name, value in ENVIRONMENT.items() if name != VARIABLE}
    start = time.monotonic()
    subprocess.run(
        [*PROGRAM, *words], cwd=folder, env=surroundings | environment, check=True, timeout=600
    )
    return time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("others", [1, 2])
def test_a_search_beside_busy_processes_is_about_as_fast_as_with_one_thread(
    others: int, folder: Path
) -> None:
    ratios = []
    with busy(others):
        for attempt in range(3):  # against the noise of other programs
            one = seconds_of_search(folder, f"one{attempt}", **{VARIABLE: "1"})
            ratios.append(seconds_of_search(folder, f"chosen{attempt}") / one)
            if ratios[-1] <= 1.5:
                return
    pytest.fail(f"the search took {ratios} times as long as with one thread")
