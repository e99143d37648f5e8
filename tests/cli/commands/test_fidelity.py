"""`relativenas fidelity`: its output, its errors, and no training lost by a kill."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
from click.testing import CliRunner, Result

from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.cli.commands.fidelity import fidelity
from relativenas_optuna.evaluation.fidelity import rank_correlation as fidelity_figures
from relativenas_optuna.evaluation.fidelity.record import FIDELITY_ATTRIBUTE, Fidelity
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import ENVIRONMENT, call, wait_for, write_study_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE = "sqlite:///relativenas.db"
PROGRAM = "from relativenas_optuna.cli.commands.fidelity import fidelity; fidelity()"
SMALL = ("--sample", "4", "--epochs", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched")


@pytest.fixture(autouse=True)
def finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Enter a folder in which the study "mine" is finished after 2 generations."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(fidelity_figures, "RESAMPLES", 30)
    if not (folder / "mine.toml").exists():
        assert call(capfd, "run", write_study_file(folder, "mine")).status == 0


def ran(*words: str) -> Result:
    result = CliRunner().invoke(fidelity, ["--study", "mine", *words])
    assert result.exception is None, result.exc_info
    return result


def refused(*words: str, study: str = "mine") -> str:
    result = CliRunner().invoke(fidelity, ["--study", study, *words])
    assert isinstance(result.exception, SearchError)
    (line,) = str(result.exception).splitlines()
    return line


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--study", "mine", *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def stored() -> Fidelity:
    with storage_at(DATABASE) as storage:
        found = Fidelity.stored_in(optuna.load_study(study_name="mine", storage=storage))
    assert found is not None
    return found


def test_it_prints_every_pair_of_scores_and_what_they_mean() -> None:
    out = ran(*SMALL, "--anew").output
    lines = out.splitlines()
    pairs = [re.match(r"(\d)\. (trial \d|random): shared .*, stand-alone ", line) for line in lines]
    assert [pair[1] for pair in pairs if pair] == ["1", "2", "3", "4"]
    (title,) = [number for number, line in enumerate(lines) if line.startswith("against 2 epochs")]
    table = [re.split(r"  +", line) for line in lines[title + 1 : title + 6]]
    assert table[0] == ["score", "of", "tau-b (95 % interval)", "best 5 in best third"]
    assert {row[0]: row[1] for row in table[1:]} == {
        "shared": "4",
        "shared, by accuracy": "4",
        "shared, from trials": "2",
        "shared, at random": "2",
    }
    assert re.search(r"pairs in the right order|shows nothing", lines[-1])


def test_json_is_one_line_with_the_same() -> None:
    data = json.loads(ran(*SMALL, "--json").stdout)
    found = stored()
    assert (data["study"], data["epochs"], data["seed"]) == ("mine", 2, 0)
    assert data["sample"] == plain(found.sample)
    assert data["agreement"]["shared"]["count"] == 4


@pytest.mark.slow
def test_a_kill_costs_no_training_that_was_done() -> None:
    undisturbed = json.loads(ran(*SMALL, "--json", "--anew").stdout)
    with started(*SMALL, "--anew") as process:
        wait_for(process, "2. ")
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = stored()
    done = [a for a in before.sample if a.standalone is not None]
    assert 2 <= len(done) < len(before.sample)
    out = ran(*SMALL).output
    assert f"going on after {len(done)} of 4 architectures\n" in out
    assert stored().sample[: len(done)] == tuple(done)
    assert json.loads(ran(*SMALL, "--json").stdout) == undisturbed


def test_options_that_do_not_fit_are_refused() -> None:
    ran(*SMALL)
    assert "measured with epochs 2, got 3" in refused("--epochs", "3")
    result = CliRunner().invoke(fidelity, ["--study", "mine", "--sample", "1"])
    assert (result.exit_code, "1 is not in the range" in result.output) == (2, True)


def test_studies_of_others_are_refused() -> None:
    with storage_at(DATABASE) as storage:
        other = optuna.create_study(storage=storage, study_name="other", load_if_exists=True)
        other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert "study 'other' was not searched by `relativenas search`" in refused(study="other")
    assert "study 'nothing' is not in the storage" in refused(study="nothing")


def test_the_study_keeps_one_small_attribute() -> None:
    ran(*SMALL)
    with storage_at(DATABASE) as storage:
        study = optuna.load_study(study_name="mine", storage=storage)
        assert len(json.dumps(study.user_attrs[FIDELITY_ATTRIBUTE])) < 4 * 600
