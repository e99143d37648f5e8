"""The command in a shell: exit statuses, signals, and continuing after them."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import optuna
import pytest

from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import (
    ENVIRONMENT,
    PROGRAM,
    call,
    end,
    started,
    started_python,
    wait_for,
    write_study_file,
)

if TYPE_CHECKING:
    from pathlib import Path


def states(folder: Path, study: str) -> dict[str, int]:
    """Return the number of a study's trials in each state, by the state's name."""
    found: dict[str, int] = {}
    with storage_at(f"sqlite:///{folder / 'relativenas.db'}", create=False) as storage:
        for trial in optuna.load_study(study_name=study, storage=storage).trials:
            found[trial.state.name] = found.get(trial.state.name, 0) + 1
    return found


def printed_command(text: str, label: str) -> str:
    (command,) = re.findall(rf"^{label}: +(.*)$", text, re.MULTILINE)
    # The tests run the working tree, wherever the program may be installed.
    return re.sub(r"^\S*relativenas(?= )", "relativenas", command)


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment in which `relativenas` is that of the working tree."""
    (folder / "bin").mkdir(exist_ok=True)
    script = folder / "bin" / "relativenas"
    words = f'"{sys.executable}" -c "from relativenas_optuna.cli.main import main; main()" "$@"'
    script.write_text(f"#!/bin/sh\nexec {words}\n")
    script.chmod(0o755)
    return ENVIRONMENT | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def run_as_printed(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=surroundings(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
def test_sigterm_in_mid_search_loses_nothing(tmp_path: Path) -> None:
    file = write_study_file(tmp_path, "mine", generations=1000)
    with started("run", file, cwd=tmp_path) as process:
        wait_for(process, "generation 2:")
        process.terminate()
        outcome = end(process)
    assert outcome.status == 143
    assert "Traceback" not in outcome.err
    saved = re.search(r"interrupted: (\d+) of 2000 candidates are saved", outcome.err)
    assert saved
    assert printed_command(outcome.err, "go on") == f"relativenas run {file}"
    assert states(tmp_path, "mine")["COMPLETE"] == int(saved[1]) >= 4
    with started("search", "--study", "mine", cwd=tmp_path) as process:
        wait_for(process, f"going on after {saved[1]} of 2000 candidates")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "login_tty"), reason="needs a pseudo terminal")
def test_ctrl_c_in_a_terminal_ends_the_bar_and_loses_nothing(tmp_path: Path) -> None:
    file = write_study_file(tmp_path, "mine", generations=1000)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "run", file],
        cwd=tmp_path,
        env=ENVIRONMENT | {"TERM": "xterm"},
        preexec_fn=lambda: os.login_tty(theirs),  # noqa: PLW1509 (no threads here)
        pass_fds=[theirs],
    )
    os.close(theirs)
    shown = b""
    with process, os.fdopen(ours, "r+b", buffering=0) as terminal:
        while b"generation 2:" not in shown:
            shown += terminal.read(4096)
        terminal.write(b"\x03")
        with contextlib.suppress(OSError):  # the end of a terminal
            while more := terminal.read(4096):
                shown += more
    assert process.returncode == 130
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    bar = r"generation \d+/1000 member \d/2 +\S+ best loss \d\.\d{4} \S+ left"
    assert re.search(bar, text)
    assert "Traceback" not in text
    assert shown.rstrip().endswith(f"relativenas run {file}".encode())
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")  # the cursor is back
    assert states(tmp_path, "mine")["COMPLETE"] >= 4


@pytest.mark.slow
def test_ctrl_c_while_the_winner_is_chosen_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_study_file(tmp_path, "mine", generations=1)
    with started("run", file, cwd=tmp_path) as process:
        wait_for(process, "generation 1:")
        os.killpg(process.pid, signal.SIGINT)
        outcome = end(process)
    assert outcome.status == 130
    assert "Traceback" not in outcome.err
    program, *words = shlex.split(printed_command(outcome.err, "go on"))
    assert program == "relativenas"
    monkeypatch.chdir(tmp_path)
    again = call(capfd, *words)
    assert again.status == 0, again.err
    assert "extend it:" in again.out
    assert states(tmp_path, "mine") == {"COMPLETE": 2}


@pytest.mark.parametrize("seconds", [0.25, 0.6, 1.5])
def test_ctrl_c_at_any_moment_of_the_start_is_one_message(tmp_path: Path, seconds: float) -> None:
    file = write_study_file(tmp_path, "mine", generations=1000)
    with started_python("run", file, cwd=tmp_path) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        outcome = end(process)
    if outcome.status != -signal.SIGINT:  # else it was the interpreter that was interrupted
        assert outcome.status == 130
        assert "interrupted: " in outcome.err
        assert "Traceback" not in outcome.err


def test_a_killed_search_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_study_file(tmp_path, "mine", generations=12)
    with started("run", file, cwd=tmp_path) as process:
        wait_for(process, "generation 2:")
        process.kill()
        assert "Error" not in end(process).err
    monkeypatch.chdir(tmp_path)
    again = call(capfd, "run", file)
    assert again.status == 0, again.err
    assert "going on after" in again.out
    found = states(tmp_path, "mine")
    assert found["COMPLETE"] == 24
    assert "RUNNING" not in found


@pytest.mark.slow
def test_the_printed_commands_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The one that extends the study, and the one that shows it in optuna-dashboard."""
    file = write_study_file(tmp_path, "my 'own' $tudy", generations=1)
    monkeypatch.chdir(tmp_path)
    first = call(capfd, "run", file)
    assert first.status == 0, first.err
    extended = run_as_printed(tmp_path, printed_command(first.out, "extend it"))
    assert extended.returncode == 0, extended.stderr
    assert "going on after 2 of 4 candidates" in extended.stdout
    dashboard = printed_command(extended.stdout, "look at it")
    process = subprocess.Popen(
        f"exec {dashboard} --port 0",
        shell=True,
        cwd=tmp_path,
        env=surroundings(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            address = wait_for(process, "http://").splitlines()[-1]
            with urllib.request.urlopen(urljoin(address, "/api/studies"), timeout=60) as answer:
                assert "my 'own' $tudy" in answer.read().decode()
        finally:
            process.kill()


def test_two_searches_of_one_study_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_study_file(tmp_path, "mine", generations=1000)
    with started("run", file, cwd=tmp_path) as process:
        wait_for(process, "generation 1:")
        monkeypatch.chdir(tmp_path)
        second = call(capfd, "run", file)
        process.kill()
    assert second.status == 1
    assert "is being searched " in second.line


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    file = write_study_file(tmp_path, "mine", generations=1)
    with started_python("run", file, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(timeout=60)
    assert "Traceback" not in err


def test_help_and_version_come_without_torch() -> None:
    program = (
        "import sys\nfrom relativenas_optuna.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    for words in (["--help"], ["search", "--help"], ["--version"], []):
        run = subprocess.run(
            [sys.executable, "-c", program, *words],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert "relativenas" in run.stdout


def test_a_name_that_the_output_cannot_show_ends_nothing(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'a.db'}"
    optuna.create_study(study_name="ü", storage=storage)
    answer = subprocess.run(
        [*PROGRAM, "show", "--storage", storage, "--study", "ä"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith(r"Error: study '\xe4' is not in the storage: there are '\xfc'")


@pytest.mark.parametrize(
    "url", ["postgresql//u:secret@h", "u:secret@h", "mysql://u:sec\nret@h:x/d"]
)
def test_a_malformed_url_is_shown_without_its_password(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = call(capfd, "-v", "studies", "--storage", url)
    assert "must be an SQLAlchemy URL" in found.err.splitlines()[-1]
    assert "Traceback" in found.err
    assert "secret" not in found.err
    assert "ret@" not in found.err
