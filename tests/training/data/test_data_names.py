from __future__ import annotations

from pathlib import Path

import pytest

from relativenas_optuna.training.data.data_names import (
    DATA_NAMES,
    absolute_source,
    has_path,
    is_folder,
    is_missing,
    is_shards,
)
from relativenas_optuna.training.data.load import DATA_SETS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pets").mkdir()
    (tmp_path / "s-0.tar").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_names_are_those_that_can_be_loaded() -> None:
    assert set(DATA_NAMES) == set(DATA_SETS)


@pytest.mark.parametrize(
    ("source", "stored", "kind"),
    [
        ("digits", "digits", "name"),
        ("hf:beans", "hf:beans", "name"),
        ("hf:org/name,label=a/b", "hf:org/name,label=a/b", "name"),
        ("hf:pets", "hf:{here}/pets", "path"),
        ("hf:pets,label=fine", "hf:{here}/pets,label=fine", "path"),
        ("pets", "{here}/pets", "folder"),
        ("s-{0..1}.tar", "{here}/s-{{0..1}}.tar", "shards"),
    ],
)
def test_a_study_stores_a_name_as_it_is_and_a_path_whole(
    here: Path, source: str, stored: str, kind: str
) -> None:
    found = absolute_source(source)
    assert found == stored.format(here=here)
    assert absolute_source(found) == found
    assert has_path(found) == (kind != "name")
    assert is_folder(source) == is_folder(found) == (kind == "folder")
    assert is_shards(source) == is_shards(found) == (kind == "shards")


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("digits", False),
        ("hf:beans", False),
        ("hf:pets,label=fine", False),
        ("pets", False),
        ("none", True),
        ("s-0.tar", False),
        ("s-{0..1}.tar", True),
        ("s-*.tar", False),
        ("t-*.tar", True),
    ],
)
def test_files_that_are_not_there_are_missing(here: Path, source: str, missing: bool) -> None:
    assert is_missing(absolute_source(source)) == missing
    if source.startswith("hf:pets"):
        stored = absolute_source(source)
        (here / "pets").rmdir()
        assert is_missing(stored)
