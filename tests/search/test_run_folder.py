"""The folder of a search is made, and used by one search at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.run_folder import locked, make_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "a" / "b"))
    make_folder(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_impossible_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SearchError, match=r"cannot be written .*: give another with --out"):
        make_folder(str(tmp_path / name))


def test_a_folder_is_locked_until_it_is_let_go(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with locked(folder), pytest.raises(SearchError, match="by another process"), locked(folder):
        pass
    with locked(folder):
        pass
    assert not list(tmp_path.iterdir())
