"""Sizes that no memory holds are refused in one line, wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from relativenas_optuna.evaluation.standalone.recipe_file import recipe_of
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.search.study_file import StudyFile
from relativenas_optuna.training.data.load import load_images

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["nodes", "channels", "cells", "population", "batch_size"])
def test_a_study_of_a_size_that_no_memory_holds_is_refused(name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: 10**9}
    with pytest.raises(
        ValueError, match=rf"^{name} must be a whole number from \d to \d+; got 1000000000$"
    ):
        SearchSettings(**settings)
    path = tmp_path / "study.toml"
    path.write_text(f'study = "mine"\n[settings]\n{name} = 1000000000\n')
    with pytest.raises(ValueError, match=f"{name} must be"):
        StudyFile.read(path)


@pytest.mark.parametrize("name", ["channels", "cells", "batch_size", "size"])
def test_a_recipe_of_a_size_that_no_memory_holds_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} must be a whole number from \d to \d+; got 1000000000$"
    ):
        recipe_of("short", [f"{name}=1000000000"])


def test_images_of_a_size_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="size must be 1 to 16384 pixels, got 1000000"):
        load_images("digits", size=1_000_000)


def test_a_blank_name_in_a_study_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('study = "  "\n')
    with pytest.raises(ValueError, match="study must be the study's name; got '  '"):
        StudyFile.read(path)
