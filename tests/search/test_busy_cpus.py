"""A line says that other programs slow down PyTorch's threads, and what to set."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
import torch

from relativenas_optuna.search import busy_cpus
from relativenas_optuna.search.busy_cpus import slow_threads, slow_threads_reported


@pytest.mark.parametrize(
    ("cpus", "threads", "others"),
    [
        (2, 2, 1.0),  # one other program
        (2, 2, 0.4),  # now and then
        (16, 8, 10.0),  # more than the 8 that are spare
    ],
)
def test_threads_that_share_their_cpus_are_said_to_wait(
    cpus: int, threads: int, others: float
) -> None:
    line = slow_threads(threads=threads, cpus=cpus, others=others)
    assert line is not None
    assert f"PyTorch's {threads} threads wait" in line
    assert f"which use {others} of {cpus} CPUs" in line
    assert "again with --threads 1" in line


@pytest.mark.parametrize(
    ("cpus", "threads", "others"),
    [
        (2, 2, 0.1),  # quiet
        (2, 1, 1.5),  # nothing to set
        (16, 8, 7.9),  # the others use the spare CPUs
        (4, 2, 2.1),  # two workers of one search
    ],
)
def test_nothing_is_said_otherwise(cpus: int, threads: int, others: float) -> None:
    assert slow_threads(threads=threads, cpus=cpus, others=others) is None


def test_other_programs_are_measured_and_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_cpus, "_INTERVAL", 0.5)
    cpus = len(busy_cpus._Reading.now().busy)
    threads, said, heard = torch.get_num_threads(), list[str](), threading.Event()

    def report(line: str) -> None:
        said.append(line)
        heard.set()

    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    torch.set_num_threads(max(2, cpus))
    try:
        time.sleep(0.3)  # until it runs
        with slow_threads_reported(report):
            assert heard.wait(10)
            time.sleep(1)
    finally:
        torch.set_num_threads(threads)
        other.kill()
        other.wait()
    (line,) = said
    assert f"of {cpus} CPUs" in line


def test_a_block_that_ends_early_is_not_waited_for() -> None:
    begun = time.monotonic()
    with slow_threads_reported(pytest.fail):
        pass
    assert time.monotonic() - begun < 5
