"""A search that cannot start leaves no study, folder or database behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.run_folder import locked, make_folder
from relativenas_optuna.search.studies import study_to_search
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.command import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with storage_at(f"sqlite:///{tmp_path / 's.db'}", heartbeat_interval=None) as opened:
        yield opened


def names(storage: BaseStorage) -> list[str]:
    return optuna.get_all_study_names(storage)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_study_in_which_nothing_began_is_deleted_again(
    error: type[BaseException], storage: BaseStorage
) -> None:
    def mistaken() -> None:
        with study_to_search(storage, "s") as study:
            assert names(storage) == [study.study_name]
            raise error

    with pytest.raises(error):
        mistaken()
    assert not names(storage)


@pytest.mark.parametrize("what", ["known", "planned", "tried"])
def test_a_study_that_is_anything_to_anybody_is_left(what: str, storage: BaseStorage) -> None:
    if what == "known":
        optuna.create_study(study_name="s", storage=storage)

    def mistaken() -> None:
        with study_to_search(storage, "s") as study:
            if what == "planned":
                SearchPlan.of(study, SearchRequest()).store(study)
            if what == "tried":
                study.ask()
            raise ValueError("mistake")

    with pytest.raises(ValueError, match="mistake"):
        mistaken()
    assert names(storage) == ["s"]


def test_the_same_command_given_twice_leaves_the_study_to_the_other_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder("relativenas-out/s")
    with storage_at("sqlite:///relativenas.db") as opened:
        optuna.create_study(study_name="s", storage=opened)
    with locked("relativenas-out/s"):  # by one that has opened the study, and loads its images
        assert "by another process" in call(capfd, "search", "--study", "s").line
    with storage_at("sqlite:///relativenas.db", create=False) as opened:
        assert names(opened) == ["s"]


def test_one_that_was_deleted_meanwhile_is_a_line(storage: BaseStorage) -> None:
    study = optuna.create_study(study_name="s", storage=storage)
    plan = SearchPlan.of(study, SearchRequest())
    optuna.delete_study(study_name="s", storage=storage)
    with pytest.raises(SearchError, match="'s' was deleted meanwhile: give the same command again"):
        plan.store(study)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "nowhere"), "nowhere"),
        (("--weights", "ftp://x"), "weights must be a folder, s3://BUCKET"),
        (("--size", "1"), "for images of 1x1"),
        (("--device", "cuda:99"), "cuda"),
        (("--size", "1", "--out", "a/b", "--weights", "c/d"), "for images of 1x1"),
    ],
)
def test_a_mistake_in_the_arguments_leaves_no_study_and_no_folder(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in call(capfd, "search", "--study", "s", *words).line
    assert not [*tmp_path.iterdir()]
    with storage_at("sqlite:///relativenas.db") as opened:
        optuna.create_study(study_name="other", storage=opened)
    assert said in call(capfd, "search", "--study", "s", *words).line
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    with storage_at("sqlite:///relativenas.db", create=False) as opened:
        assert names(opened) == ["other"]


def test_a_database_that_cannot_be_made_leaves_no_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = call(capfd, "search", "--storage", "sqlite:///nowhere/s.db").line
    assert "is the folder of 'nowhere/s.db' there and writable?" in line
    assert not [*tmp_path.iterdir()]


# --- the place of the weights in the plan


def test_the_place_of_the_weights_is_kept_and_may_change(tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s")
    plan = SearchPlan.of(study, SearchRequest(weights="s3://bucket/a/"))
    plan.store(study)
    assert (plan.weights, plan.place) == ("s3://bucket/a", "s3://bucket/a")
    assert SearchPlan.of(study, SearchRequest()) == plan
    changed = SearchPlan.of(study, SearchRequest(weights=str(tmp_path)))
    assert changed.place == str(tmp_path)
    assert changed.out == plan.out


def test_a_plan_of_before_there_were_places_is_read() -> None:
    study = optuna.create_study(study_name="s")
    plan = SearchPlan.of(study, SearchRequest())
    plan.store(study)
    data = dict(study.user_attrs[PLAN_ATTRIBUTE])
    assert data.pop("weights") is None
    study.set_user_attr(PLAN_ATTRIBUTE, data)
    assert SearchPlan.stored_in(study) == plan
    assert plan.place == plan.out


@pytest.mark.parametrize("weights", [5, "", "http://x", ["s3://bucket"]])
def test_a_place_in_a_plan_that_is_none_is_refused(weights: object) -> None:
    study = optuna.create_study(study_name="s")
    plan = SearchPlan.of(study, SearchRequest())
    plan.store(study)
    study.set_user_attr(PLAN_ATTRIBUTE, study.user_attrs[PLAN_ATTRIBUTE] | {"weights": weights})
    with pytest.raises(SearchError, match="unreadable attribute"):
        SearchPlan.stored_in(study)
