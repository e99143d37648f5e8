"""`relativenas train` in processes of its own, which are interrupted, or train together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands.test_train import TINY, folder
from tests.helpers.command import ENVIRONMENT, call, end, started, wait_for

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["folder"]  # a fixture
Capture = pytest.CaptureFixture[str]


def test_ctrl_c_says_how_to_go_on_and_that_goes_on(folder: Path, capfd: Capture) -> None:
    # Neither fast nor slow: it is interrupted in an epoch, and need not be waited for long.
    words = (*TINY, "--set", "epochs=8", "--out", "out")
    with started(*words, cwd=folder) as process:
        wait_for(process, "epoch 2:")
        process.send_signal(signal.SIGINT)
        outcome = end(process)
    assert outcome.status == 130
    said = re.search(r"interrupted: (\d+) of 8 epochs are saved in out\ngo on: .*", outcome.err)
    assert said is not None
    saved = int(said[1])
    assert 2 <= saved < 8
    assert "Traceback" not in outcome.err
    again = call(capfd, *words)
    assert again.status == 0
    assert f"going on after {saved} of 8 epochs" in again.out
    assert f"\nepoch {saved + 1}: " in again.out
    assert f"\nepoch {saved}: " not in again.out
    assert "of 8 is kept" in again.out


@pytest.mark.slow
def test_torchrun_trains_in_two_processes(folder: Path) -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "torch.distributed.run"),
            *("--standalone", "--nproc-per-node", "2", "-m", "relativenas_optuna"),
            *(*TINY, "--json"),
        ],
        env=ENVIRONMENT | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    found = json.loads(line)
    assert found["epochs"] == 2
    state = folder / "relativenas-out" / "mine-trained" / "state.safetensors"
    assert b'\\"parts\\": 2' in state.read_bytes()


@pytest.mark.slow
def test_ctrl_c_of_torchrun_prints_one_line_without_a_command(
    folder: Path,
) -> None:
    torchrun = ("--standalone", "--nproc-per-node", "2", "-m", "relativenas_optuna")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", *torchrun, *TINY),
            *("--set", "epochs=500"),
        ],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_for(process, "epoch 2:")
        os.killpg(process.pid, signal.SIGINT)
        outcome = end(process)
    said = re.findall(r"interrupted: (\d+) of 500 epochs are saved in \S+; (.*)", outcome.err)
    assert [words for _, words in said] == ["the same torchrun command continues"]
    assert int(said[0][0]) >= 2
    assert "go on:" not in outcome.err
