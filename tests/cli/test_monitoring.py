"""Commands that show a study: their text and JSON; they write nothing."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.dashboard.html_report.best import best_of
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import ENVIRONMENT, PROGRAM, call

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
DATABASE = "sqlite:///relativenas.db"
NAME = """<b>it's/"quoted"</b> [red]"""


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "relativenas.db").read_bytes()).hexdigest()


def others() -> None:
    """Create a study of another sampler, and one with two objectives."""
    with storage_at(DATABASE) as storage:
        one = optuna.create_study(storage=storage, study_name=NAME)
        one.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=3)
        optuna.create_study(storage=storage, study_name="two", directions=["minimize"] * 2)


def test_the_status_of_a_finished_search(finished: Path, capfd: Capture) -> None:
    before = digest(finished)
    outcome = call(capfd, "status", "--study", "mine")
    assert (outcome.status, outcome.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in outcome.out.splitlines() if line]
    said = {words[0]: words[1] for words in lines}
    assert said["study"] == f"mine in {DATABASE}"
    assert "\ngeneration  2 of 2, 2 complete\n" in outcome.out
    assert said["scored"] == "4 of 4"
    assert said["running"] == said["failed"] == "0"
    assert said["time"] == "left   none, the search is finished"
    assert ", accuracy " in said["best"]
    assert "go on" not in outcome.out
    assert digest(finished) == before


@pytest.mark.usefixtures("finished")
def test_the_status_as_json_and_watched_to_the_end(capfd: Capture) -> None:
    outcome = call(capfd, "status", "--study", "mine", "--json")
    data = json.loads(outcome.out)
    assert (data["scored"], data["total"], data["finished"]) == (4, 4, True)
    assert data["best"]["genotype"].startswith("normal: ")
    assert len(data["history"]) == 2
    watched = call(capfd, "status", "--study", "mine", "--json", "--watch")
    assert json.loads(watched.out) == data
    (line,) = call(capfd, "status", "--study", "mine", "--watch").out.splitlines()
    assert line.startswith("generation 2 of 2, 2 complete; 4 of 4 scored, 0 running, 0 failed; ")
    assert line.endswith("time left: none, the search is finished")


@pytest.mark.usefixtures("folder")
def test_the_status_of_other_studies(capfd: Capture) -> None:
    others()
    outcome = call(capfd, "status", "--study", NAME)
    assert outcome.status == 0
    assert outcome.out.startswith(f"study       {NAME} in {DATABASE}\n")
    assert "without generations" in outcome.out
    assert "not known: the study has no planned number of trials" in outcome.out
    assert "not started" in call(capfd, "status", "--study", "two").out
    with storage_at(DATABASE) as storage:
        two = optuna.load_study(study_name="two", storage=storage)
        two.optimize(lambda _: 1 / 0, n_trials=1, catch=ZeroDivisionError)
    assert "not started" not in call(capfd, "status", "--study", "two").out


@pytest.mark.usefixtures("folder")
def test_the_studies_of_a_storage(capfd: Capture) -> None:
    others()
    outcome = call(capfd, "studies")
    headings, one, two = outcome.out.splitlines()
    assert headings.split() == ["study", "sampler,", "preset", "trials", "best", "last", "write"]
    assert one.startswith(f"{NAME}  ")
    assert one.endswith(" ago")
    assert two.split() == ["two", "none", "yet", "0", "2", "objectives", "never"]
    data = json.loads(call(capfd, "studies", "--json").out)
    assert [study["study"] for study in data] == [NAME, "two"]
    assert data[0]["trials"] == {"complete": 3}
    assert data[1]["best"] is None


def test_on_a_narrow_screen_each_study_is_a_paragraph(folder: Path) -> None:
    others()
    ours, theirs = pty.openpty()
    surroundings = ENVIRONMENT | {"COLUMNS": "40", "TERM": "xterm"}
    process = subprocess.Popen(
        [*PROGRAM, "studies"], cwd=folder, env=surroundings, stdin=theirs, stdout=theirs
    )
    os.close(theirs)
    shown = b""
    with process, os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):
        while more := terminal.read(4096):
            shown += more
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 40
    text = " ".join(" ".join(lines).split())
    assert text.startswith(f"{NAME} sampler not known; 3 trials; best 0.")
    assert text.endswith("two sampler none yet; 0 trials; 2 objectives; last write never")


@pytest.mark.usefixtures("folder")
def test_the_best_violates_no_constraint(capfd: Capture) -> None:
    def limited(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.set_constraint("limit", 0.5 - x)
        return x

    with storage_at(DATABASE) as storage:
        study = optuna.create_study(storage=storage, study_name="limited")
        for x in (0.1, 0.7, 0.6):
            study.enqueue_trial({"x": x})
        study.optimize(limited, n_trials=3)
        assert [one.trial for one in best_of(study, 3)] == [2, 1]
    (line,) = json.loads(call(capfd, "studies", "--json").out)
    status = json.loads(call(capfd, "status", "--study", "limited", "--json").out)
    assert line["best"] == status["best"]["loss"] == 0.6


@pytest.mark.usefixtures("finished")
def test_a_search_is_listed_with_its_presets(capfd: Capture) -> None:
    (data,) = json.loads(call(capfd, "studies", "--json").out)
    assert (data["sampler"], data["preset"]) == ("RelativeNASSampler", "paper")
    assert (data["search_preset"], data["trials"]) == ("digits", {"complete": 4})


@pytest.mark.parametrize("command", ["status", "studies"])
def test_a_missing_study_or_storage_is_one_line_and_creates_nothing(
    folder: Path, capfd: Capture, command: str
) -> None:
    assert "is not there" in call(capfd, command).line
    assert not list(folder.iterdir())
    with storage_at(DATABASE):
        pass
    if command == "status":
        assert "'relativenas' is not in the storage" in call(capfd, command).line
    else:
        assert call(capfd, command).out.startswith(f"no studies in {DATABASE}; begin one: ")
        assert call(capfd, command, "--json").out == "[]\n"
