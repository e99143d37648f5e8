"""`relativenas search`, `run` and `show`: results, and one line for each mistake."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.study import StudyDirection

from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import ENVIRONMENT, call, write_images, write_study_file
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
DATABASE = "sqlite:///relativenas.db"
RESULTS = {f"best.{kind}" for kind in ("txt", "json", "png", "svg")}


def test_a_search_ends_with_the_winner_in_every_form(folder: Path, capfd: Capture) -> None:
    name = "[red] 100% :smile: <b> $x$"
    file = write_study_file(folder, "mine", generations=1)
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace("study = 'mine'", f"study = '{name}'"))
    outcome = call(capfd, "run", "mine.toml")
    assert (outcome.status, outcome.err) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", outcome.out)  # no control characters
    assert f"study '{name}' in {DATABASE}" in outcome.out
    lines = outcome.out.splitlines()
    assert [line for line in lines if line.startswith("generation ")] == [
        line for line in lines if line.startswith("generation 1: best loss")
    ]
    (normal,) = [number for number, line in enumerate(lines) if line.startswith("normal:")]
    genotype = Genotype.from_text("\n".join(lines[normal : normal + 2]))
    assert Genotype.from_json(lines[normal + 3]) == genotype
    assert " won, by " in outcome.out
    (out,) = (folder / "relativenas-out").iterdir()
    files = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert len([name for name in files if name.startswith("weights-")]) == 2
    assert {name for name in files if not name.startswith("weights-")} == RESULTS | {"artifacts"}
    assert [path.read_bytes()[1:4] for path in (out / "artifacts").iterdir()] == [b"PNG"]
    assert Genotype.from_text((out / "best.txt").read_text()) == genotype
    assert Genotype.from_json((out / "best.json").read_text()) == genotype


@pytest.mark.usefixtures("finished")
def test_a_finished_study_says_so_and_how_to_extend_it(capfd: Capture) -> None:
    outcome = call(capfd, "search", "--study", "mine")
    assert outcome.status == 0
    assert "study 'mine' is finished: 2 generations" in outcome.out
    assert "search --generations 4 --study mine" in outcome.out
    assert outcome.out.count("trial ") >= 2


@pytest.mark.usefixtures("finished")
def test_show_draws_as_many_as_there_are(tmp_path: Path, capfd: Capture) -> None:
    outcome = call(capfd, "show", "--study", "mine", "--top", "99", "--out", tmp_path / "drawn")
    assert outcome.status == 0
    number = len(re.findall(r"^\d+\. trial", outcome.out, re.MULTILINE))
    assert 2 <= number <= 4
    assert f"the study has only {number} different architectures" in outcome.out
    assert len(list((tmp_path / "drawn").iterdir())) == 4 * number


def test_figures_that_are_missed_are_an_error(finished: Path, capfd: Capture) -> None:
    text = (finished / "mine.toml").read_text()
    (finished / "strict.toml").write_text(f"{text}[reach]\naccuracy_over_random = 1.0\n")
    outcome = call(capfd, "run", "strict.toml")
    assert outcome.status == 1
    assert outcome.line == "Error: study 'mine' missed accuracy_over_random"
    assert "MISSED" in outcome.out
    (finished / "mild.toml").write_text(f"{text}[reach]\naccuracy = 0.0\n")
    assert ": reached" in call(capfd, "run", "mild.toml").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "5"], "seed 5 does not fit study 'mine'"),
        (["--population", "4"], "population 4 does not fit study 'mine'"),
        (["--data", "digits"], "data 'digits' does not fit study 'mine'"),
    ],
)
@pytest.mark.usefixtures("finished")
def test_a_study_keeps_its_settings(capfd: Capture, words: list[str], said: str) -> None:
    assert said in call(capfd, "search", "--study", "mine", *words).line


@pytest.mark.parametrize("cut_short", [False, True], ids=["deleted", "cut short"])
def test_a_search_does_not_go_on_without_its_weights(
    finished: Path, tmp_path: Path, capfd: Capture, cut_short: bool
) -> None:
    for whole in (finished / "relativenas-out" / "mine").glob("weights-*"):
        if cut_short:
            (tmp_path / whole.name).write_bytes(whole.read_bytes()[:2000])
    more = ("--study", "mine", "--generations", "3", "--out", tmp_path)
    line = call(capfd, "search", *more).line
    if cut_short:
        assert line.count("and has 2000") == 2
        assert f"folder {str(tmp_path)!r} has no other weights of this search" in line
    else:
        assert f"no weights in {str(tmp_path)!r}: give the folder of the first run" in line
    assert "is finished: 2 generations" in call(capfd, "search", "--study", "mine").out


def test_studies_of_another_kind_are_refused(folder: Path, capfd: Capture) -> None:
    with storage_at(DATABASE) as storage:
        optuna.create_study(study_name="max", storage=storage, direction="maximize")
        optuna.create_study(
            study_name="two", storage=storage, directions=2 * [StudyDirection.MINIMIZE]
        )
        other = optuna.create_study(study_name="lr", storage=storage)
        other.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=1)
    for name, said in [("max", "maximize"), ("two", "minimize, minimize"), ("lr", "'lr'")]:
        line = call(capfd, "search", "--study", name).line
        assert said in line
        assert "take another --study" in line
        assert "no scored architecture" in call(capfd, "show", "--study", name).line
    missing = call(capfd, "show", "--study", "missing").line
    assert "'missing' is not in the storage: there are 'max', 'two', 'lr'" in missing


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--data", "nowhere"], 1, "nowhere"),
        (["--data", "file"], 1, "is a file; give a folder"),
        (["--data", "empty"], 1, "have no images"),
        (["--data", "one"], 1, "at least 2 classes"),
        (["--data", "corrupt"], 1, "cannot be read"),
        (["--population", "3"], 1, "population must be even"),
        (["--population", "0"], 1, "population must be a whole number from 2 to 100000; got 0"),
        (["--generations", "0"], 1, "generations must be a whole number of at least 1"),
        (["--seed", "4294967296"], 2, "--seed"),
        (["--size", "0"], 2, "--size"),
        (["--preset", "huge"], 2, "'huge' is not one of"),
        (["--nonsense"], 2, "--nonsense"),
        (["--study", ""], 2, "a study needs a name"),
        (["--storage", "sqlite:///file/x.db"], 1, "there and writable?"),
        (["--device", "foo"], 1, "device must be one of cpu"),
        (["--data", "good", "--out", "file/below"], 1, "another with --out"),
        (["--data", "good", "--out", "file"], 1, "another with --out"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capfd: Capture, words: list[str], status: int, said: str
) -> None:
    (folder / "file").write_text("no folder")
    if "--data" in words and words[1] not in ("file", "nowhere"):
        write_images(folder / words[1], each=2)
    if "empty" in words:
        shutil.rmtree(folder / "empty" / "class1")
        (folder / "empty" / "class1").mkdir()
    elif "one" in words:
        shutil.rmtree(folder / "one" / "class1")
    elif "corrupt" in words:
        (folder / "corrupt" / "class0" / "0.png").write_bytes(b"\x89PNG\r\n")
    outcome = call(capfd, "search", *words)
    assert outcome.status == status
    assert said in outcome.line
    assert outcome.line.startswith("Error: ")


def test_show_makes_no_database(folder: Path, capfd: Capture) -> None:
    assert "is not there" in call(capfd, "show").line
    assert not list(folder.iterdir())


def test_a_password_is_not_printed(folder: Path, capfd: Capture) -> None:
    for scheme in ("postgresql+psycopg2", "mysql+pymysql"):
        line = call(capfd, "search", "--storage", f"{scheme}://me:secret@127.0.0.1:1/x").line
        assert "cannot be opened" in line
        assert "secret" not in line


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("kind", DATABASES)
def test_a_search_runs_on_a_server(kind: str, folder: Path, capfd: Capture) -> None:
    url = os.environ.get(DATABASES[kind])
    if not url:
        pytest.skip(f"{DATABASES[kind]} names no database")
    study = f"test-{folder.name}-{os.getpid()}"
    write_study_file(folder, study, generations=1)
    try:
        first = call(capfd, "run", f"{study}.toml", "--storage", url)
        assert (first.status, first.err) == (0, "")
        more = ("--study", study, "--storage", url)
        again = call(capfd, "search", *more, "--generations", "2")
        assert "going on after 2 of 4 candidates" in again.out
        assert "is finished: 2 generations" in call(capfd, "search", *more).out
        assert call(capfd, "show", *more).out.startswith("1. trial")
    finally:
        with storage_at(url) as storage:
            optuna.delete_study(study_name=study, storage=storage)


@pytest.mark.slow
def test_an_interrupt_in_the_program_itself_is_met_too(
    folder: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(optuna, "load_study", interrupted)
    outcome = call(capfd, "search", "--study", "it's", "--storage", "sqlite:///a b.db")
    assert outcome.status == 130
    assert "interrupted: what was saved before is kept" in outcome.err
    assert """search --study 'it'"'"'s' --storage 'sqlite:///a b.db'""" in outcome.err


def test_a_warning_is_one_line_without_the_program_s_source() -> None:
    warned = (
        "import warnings\n"
        "from relativenas_optuna.cli.main import warnings_as_lines\n"
        "with warnings_as_lines():\n"
        "    warnings.warn('a file is\\n  damaged')\n"
        "warnings.warn('as before')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", warned], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert ended.stderr.startswith("Warning: a file is damaged\n<string>:5: UserWarning: as before")
