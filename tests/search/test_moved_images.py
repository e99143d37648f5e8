"""Images of a search under another path, and other images under the same path."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.cli.options.paths import plan_here
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.training.data.load import DataError
from tests.helpers.command import write_images
from tests.helpers.tiny_search import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> optuna.Study:
    """Return a study with one scored trial of a search on the images in "images"."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images")
    study = optuna.create_study(study_name="s")
    search = Search(study, plan(study, "images"), device="cpu")
    study.optimize(search.objective, n_trials=1)
    return study


def plan(study: optuna.Study, data: str | None = None) -> SearchPlan:
    return SearchPlan.of(study, SearchRequest(data=data, settings=asdict(SETTINGS), finals=0))


def test_the_same_images_under_another_path_go_on(study: optuna.Study, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"are not in '.*images' any more.*--data"):
        Search(study, plan(study), device="cpu")
    moved = Search(study, plan(study, "moved"), device="cpu")
    study.optimize(moved.objective, n_trials=1)
    stored = SearchPlan.stored_in(study)
    assert stored is not None
    assert stored.data == str(tmp_path / "moved")


@pytest.mark.parametrize("change", ["more", "class", "label"])
def test_other_images_are_refused_and_leave_the_plan(
    change: str, study: optuna.Study, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "images", other)
    if change == "more":
        shutil.copy(other / "class0" / "0.png", other / "class0" / "99.png")
    elif change == "class":
        (other / "class1").rename(other / "elk")
    else:
        (other / "class0" / "0.png").rename(other / "class1" / "99.png")
    before = study.user_attrs
    with pytest.raises(DataError, match="'s' was started with other images, labels or class names"):
        Search(study, plan(study, "other"), device="cpu")
    assert study.user_attrs == before


def test_a_worker_says_where_the_images_are_there(study: optuna.Study, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "moved")
    stored = SearchPlan.stored_in(study)
    assert stored is not None
    here = plan_here(stored, study="s", data="moved", out=None, weights=None)
    assert here.data == str(tmp_path / "moved")
    Search(study, here, device="cpu", leads=False)
    assert SearchPlan.stored_in(study) == stored
    with pytest.raises(SearchError, match="data 'digits' does not fit study 's'"):
        plan_here(stored, study="s", data="digits", out=None, weights=None)


def test_a_worker_makes_no_folder_where_the_weights_are_not(
    study: optuna.Study, tmp_path: Path
) -> None:
    stored = SearchPlan.stored_in(study)
    assert stored is not None
    elsewhere = replace(stored, out=str(tmp_path / "elsewhere"))
    with pytest.raises(SearchError, match=r"weights of study 's' are not in .*elsewhere"):
        Search(study, elsewhere, device="cpu", leads=False)
    assert not (tmp_path / "elsewhere").exists()
