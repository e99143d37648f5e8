"""Standard streams that are closed, full, or read by nobody: a status, and never a traceback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command import ENVIRONMENT, PROGRAM

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams as POSIX shells close them")


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which "$@" is our program."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script, "bash", *PROGRAM],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_reads_the_output(tmp_path: Path) -> None:
    ended = run('{ sleep 0.2; "$@" --help; } | true', tmp_path)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_the_first_line_is_read(tmp_path: Path) -> None:
    ended = run('"$@" --help | head -1', tmp_path)
    assert ended.returncode in (0, 141)  # as the pipe takes all of it or not
    assert (ended.stdout.count("\n"), ended.stderr) == (1, "")


def test_standard_output_is_closed(tmp_path: Path) -> None:
    ended = run('"$@" --version >&-', tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == "Error: standard output is closed, so what was printed is lost\n"


def test_all_streams_are_closed_and_files_are_not_taken_for_them(tmp_path: Path) -> None:
    ended = run('"$@" studies --storage sqlite:///x.db <&- >&- 2>&-', tmp_path)
    assert ended.returncode == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_the_disk_behind_standard_output_is_full(tmp_path: Path) -> None:
    ended = run('"$@" --version >/dev/full', tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == "Error: [Errno 28] No space left on device\n"
