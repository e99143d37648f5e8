"""Running the command, in this process and in others, on images of no size to speak of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from PIL import Image

from relativenas_optuna.cli.main import main
from tests.helpers.forked import ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

Process = subprocess.Popen[str] | ForkedProcess
ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "from relativenas_optuna.cli.main import main; main()")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}

_STUDY_FILE = """\
study = {study!r}
[search]
data = "images"
preset = "digits"
finals = {finals}
[settings]
nodes = 1
channels = 2
cells = 3
uniform_epochs = 0
population = 2
generations = {generations}
{more}
"""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a command: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of standard error of a command that failed."""
        assert self.status not in (0, None)
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        return line


def write_images(folder: Path, *, classes: int = 2, each: int = 8, side: int = 8) -> Path:
    """Write coloured noise into a sub-folder for each class."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
            pixels[:, label * 2 : label * 2 + 3] += 150
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")
    return folder


def write_study_file(
    folder: Path, study: str, *, generations: int = 2, more: str = "", finals: int = 0
) -> str:
    """Write a study of a second or so, and its images; the file's name."""
    if not (folder / "images").exists():
        write_images(folder / "images")
    text = _STUDY_FILE.format(study=study, generations=generations, more=more, finals=finals)
    (folder / f"{study}.toml").write_text(text)
    return f"{study}.toml"


def call(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Outcome:
    """Run the command in this process, which it takes for its own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    verbosity = optuna.logging.get_verbosity()
    status: object = 0
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        status = end.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        optuna.logging.set_verbosity(verbosity)
    captured = capfd.readouterr()
    assert isinstance(status, int)
    return Outcome(status, captured.out, captured.err)


@contextmanager
def started(*words: str, cwd: Path) -> Iterator[ForkedProcess]:
    """Run the command in a process group of its own, killed in the end.

    The process is forked where all is imported, so it checks neither start nor end of Python.
    """
    with ForkedProcess(main, list(words), cwd=cwd, environment=ENVIRONMENT) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started_python(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command as `started` does, in a Python interpreter that has imported nothing."""
    process = subprocess.Popen(
        [*PROGRAM, *words],
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: Process, words: str) -> str:
    """Read the output of a process up to the line that holds these words."""
    assert process.stdout is not None
    read = []
    for line in process.stdout:
        read.append(line)
        if words in line:
            return "".join(read)
    assert process.stderr is not None
    raise AssertionError(f"{words!r} is not in {''.join(read)!r}; {process.stderr.read()}")


def end(process: Process) -> Outcome:
    """Wait for the end of a process."""
    out, err = process.communicate(timeout=60)
    assert process.returncode is not None
    return Outcome(process.returncode, out, err)
