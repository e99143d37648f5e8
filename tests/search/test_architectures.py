"""Architectures as arguments of commands: files, names, and the errors for others."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.architectures import architecture_of
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.spaces.published_cells import PUBLISHED
from relativenas_optuna.storages.opening import storage_at

SPACE = CellSpace(nodes=1)
CELLS = "normal: node2 sep_conv_3x3(0) skip_connect(1)\nreduce: node2 max_pool_3x3(0) {}"
BETTER, WORSE = (Genotype.from_text(CELLS.format(edge)) for edge in ("max_pool_3x3(1)", "a(0)"))


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a database in the current folder; its study "mine" has two architectures."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///s.db"
    with storage_at(url, heartbeat_interval=None) as opened:
        optuna.create_study(storage=opened, study_name="empty")
        study = optuna.create_study(storage=opened, study_name="mine")
        for loss, genotype in ((2.0, WORSE), (1.0, BETTER)):
            trial = study.ask()
            trial.set_user_attr("genotype", genotype.to_text())
            study.tell(trial, loss)
        other = optuna.create_study(storage=opened, study_name="other")
        other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
        strange = optuna.create_study(storage=opened, study_name="strange")
        trial = strange.ask()
        trial.set_user_attr("genotype", "|nor_conv_3x3~0|")
        strange.tell(trial, 1.0)
    return url


def refused(text: str | None, *, storage: str = "sqlite:///nothing.db", study: str = "mine") -> str:
    with pytest.raises(SearchError) as refusal:
        architecture_of(text, storage=storage, study=study)
    (line,) = str(refusal.value).splitlines()
    return line


def test_without_an_argument_it_is_the_best_of_the_study(storage: str) -> None:
    found = architecture_of(None, storage=storage, study="mine")
    assert (found.genotype, found.name) == (BETTER, "mine")
    assert found.source == "the best of study 'mine', trial 1: loss 1.0000 in search"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_name_is_found_in_capitals_or_not(name: str) -> None:
    for text in (name, name.lower(), name.upper()):
        found = architecture_of(text, storage="sqlite:///nothing.db", study="nothing")
        assert (found.genotype, found.name) == (PUBLISHED[name].genotype, name)
        assert found.source == PUBLISHED[name].source


def test_a_file_is_read_as_text_and_as_json_and_comes_before_a_name(storage: str) -> None:
    for name, content in (("best.txt", BETTER.to_text()), ("RelativeNAS", BETTER.to_json())):
        Path(name).write_text(f"\n {content}\n")
        found = architecture_of(name, storage=storage, study="mine")
        assert (found.genotype, found.source) == (BETTER, f"file {name}")
        assert found.name == name.removesuffix(".txt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a genotype is two lines"),
        (b"\xff\x00", "invalid start byte"),
        (b"[" * 9000, "a genotype is two lines"),
        (b"{" + b'"normal":' + b"[" * 9000, "a genotype must be valid JSON"),
        (b'{"normal": {}, "reduce": {}}', "normal must be a JSON object with keys nodes"),
        (b"normal: node2 sep_conv_3x3(7)\nreduce: node2 a(0)", "node2 can read inputs 0 to 1"),
        (b" " * 16 * 1024 + b".", "longer than 16384 bytes"),
    ],
)
def test_a_file_without_a_genotype_is_refused_in_one_line(
    content: bytes, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "hostile"
    file.write_bytes(content)
    line = refused(str(file))
    assert line.startswith(f"file {str(file)!r} holds no genotype")
    assert words in line
    assert len(line) < 400


@pytest.mark.parametrize("text", ["RelativNAS", "", "nothing.json", "x" * 5000, "a\0b", "."])
def test_an_unknown_name_is_refused_with_the_known_names(text: str) -> None:
    line = refused(text)
    assert line.startswith("architecture must be a file with a genotype")
    for name in PUBLISHED:
        assert name in line


def test_a_study_without_architectures_is_refused(storage: str) -> None:
    assert "it is empty: search it first" in refused(None, storage=storage, study="empty")
    assert "it holds only other trials" in refused(None, storage=storage, study="other")
    assert "give --space" in refused(None, storage=storage, study="strange")
    assert "study 'nothing' is not in the storage" in refused(
        None, storage=storage, study="nothing"
    )


def test_a_missing_database_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.db"):
        architecture_of(None, storage=f"sqlite:///{tmp_path / 'no.db'}", study="mine")
    assert not list(tmp_path.iterdir())
