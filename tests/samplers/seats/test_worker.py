"""Telling a living worker from a dead one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from relativenas_optuna.samplers.seats import worker
from relativenas_optuna.samplers.seats.worker import is_dead, this_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTRODUCE = (
    "import json, sys; from relativenas_optuna.samplers.seats.worker import this_worker;"
    "print(json.dumps(this_worker()), flush=True); sys.stdin.read()"
)


@pytest.fixture(params=["proc", "psutil"])
def _system(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Use Linux' own files, and the library on other systems."""
    if request.param == "proc" and not worker._PROC.exists():
        pytest.skip("no /proc here")
    if request.param == "psutil":
        monkeypatch.setattr(worker, "_PROC", tmp_path)
    worker._machine.cache_clear()
    worker._own_start.cache_clear()
    yield
    worker._machine.cache_clear()
    worker._own_start.cache_clear()


def stored(who: dict[str, Any]) -> dict[str, Any]:
    """Return a worker identity as it comes back from a storage."""
    back: dict[str, Any] = json.loads(json.dumps(who))
    assert back == who
    return back


@pytest.mark.usefixtures("_system")
def test_this_process_is_alive_and_keeps_its_identity() -> None:
    assert not is_dead(stored(this_worker()))
    assert this_worker() == this_worker()


@pytest.mark.usefixtures("_system")
def test_a_killed_process_is_dead_even_before_it_is_reaped() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True
    ) as process:
        other = {**this_worker(), "pid": process.pid, "start": worker._start(process.pid)}
        assert not is_dead(stored(other))
        process.kill()
        deadline = time.monotonic() + 60
        while not is_dead(other) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_dead(other)  # a zombie, since nobody has waited for it
        process.wait()
        assert is_dead(other)


@pytest.mark.usefixtures("_system")
def test_a_later_process_with_the_same_pid_is_another_worker() -> None:
    assert is_dead({**this_worker(), "start": this_worker()["start"] - 1})


@pytest.mark.usefixtures("_system")
def test_a_worker_on_another_machine_is_never_known_to_be_dead() -> None:
    elsewhere = {"machine": "elsewhere", "pid": 2**22 + 1, "start": 1.0}
    assert not is_dead(elsewhere)
    assert not is_dead({})


def test_the_identity_is_the_same_in_another_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTRODUCE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        other = json.loads(process.stdout.readline())
        assert other["machine"] == this_worker()["machine"]
        assert other["pid"] == process.pid
        assert not is_dead(other)
        process.kill()
        process.wait()
        assert is_dead(other)
