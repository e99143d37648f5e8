from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.settings import preset
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.study_access import check_study, open_study
from relativenas_optuna.spaces import CellSpace
from tests.helpers.tiny_search import SETTINGS, SPACE

FULL_REQUEST: dict[str, Any] = {
    "data": "cifar10",
    "size": 16,
    "preset": "digits",
    "seed": 7,
    "out": "elsewhere",
    "settings": {"channels": 2, "population": 4, "learning_rate": 0.25},
}


def named(name: str, **options: Any) -> optuna.Study:
    return optuna.create_study(study_name=name, **options)


def begun(**request: Any) -> tuple[optuna.Study, SearchPlan]:
    study = named("s")
    plan = SearchPlan.of(study, SearchRequest(**request))
    plan.store(study)
    return study, plan


@pytest.mark.parametrize(
    ("data", "name"), [(None, "digits"), ("digits", "digits"), ("cifar10", "small")]
)
def test_a_new_search_takes_defaults(data: str | None, name: str) -> None:
    plan = SearchPlan.of(named("s"), SearchRequest(data=data))
    assert plan.data == (data or "digits")
    assert (plan.preset, plan.settings, plan.seed, plan.size) == (name, preset(name), 0, None)
    assert plan.out == str(Path("relativenas-out", "s").absolute())
    assert plan.search != SearchPlan.of(named("s"), SearchRequest()).search


def test_missing_settings_come_from_the_study() -> None:
    study, plan = begun(**FULL_REQUEST)
    assert SearchPlan.stored_in(study) == SearchPlan.of(study, SearchRequest()) == plan
    assert plan.settings == replace(preset("digits"), **FULL_REQUEST["settings"])
    for name, value in FULL_REQUEST.items():
        assert SearchPlan.of(study, SearchRequest(**{name: value})) == plan
    json.dumps(study.user_attrs[PLAN_ATTRIBUTE])


def test_a_plan_is_not_stored_before_it_is_asked_to() -> None:
    study = named("s")
    SearchPlan.of(study, SearchRequest())
    assert SearchPlan.stored_in(study) is None
    assert not study.user_attrs


@pytest.mark.parametrize(
    ("name", "value", "was"),
    [
        ("data", "cifar100", "'cifar10'"),
        ("size", 8, "16"),
        ("preset", "paper", "'digits'"),
        ("seed", 0, "7"),
        ("channels", 8, "2"),
        ("population", 6, "4"),
        ("learning_rate", 0.1, "0.25"),
        ("flip", True, "False"),
        ("nodes", 2, "4"),
    ],
)
def test_a_setting_that_differs_is_refused_naming_both(name: str, value: Any, was: str) -> None:
    study, plan = begun(**FULL_REQUEST)
    request = (
        SearchRequest(**{name: value})
        if name in FULL_REQUEST
        else SearchRequest(settings={name: value})
    )
    with pytest.raises(SearchError) as caught:
        SearchPlan.of(study, request)
    message = str(caught.value)
    assert message.startswith(f"{name} {value!r} does not fit study 's'")
    assert f"started with {was}" in message
    assert "\n" not in message
    assert SearchPlan.stored_in(study) == plan


def test_the_text_of_a_data_set_is_stored_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source, moved in (("hf:beans", "hf:pets"), ("s-{0..3}.tar", "elsewhere/s-{0..3}.tar")):
        study, plan = begun(data=source)
        assert plan.data == (source if source.startswith("hf:") else str(tmp_path / source))
        for request in (SearchRequest(data=source), SearchRequest()):
            assert SearchPlan.of(study, request) == plan
        if source.startswith("hf:"):
            with pytest.raises(SearchError, match="data 'hf:pets' does not fit study 's'"):
                SearchPlan.of(study, SearchRequest(data=moved))
        else:  # `Search` compares the images
            changed = SearchPlan.of(study, SearchRequest(data=moved))
            assert changed == replace(plan, data=str(tmp_path / moved))


def test_generations_and_the_folder_may_change() -> None:
    study, plan = begun(**FULL_REQUEST)
    changed = SearchPlan.of(study, SearchRequest(out="other", settings={"generations": 60}))
    assert changed == replace(
        plan, out=str(Path("other").absolute()), settings=replace(plan.settings, generations=60)
    )
    changed.store(study)
    assert SearchPlan.stored_in(study) == changed
    with pytest.raises(ValueError, match="generations must be a whole number of at least 1"):
        SearchPlan.of(study, SearchRequest(settings={"generations": 0}))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"settings": {"chanels": 3}}, "setting 'chanels' must be one of nodes, channels"),
        ({"settings": {"channels": 0}}, "channels must be a whole number from 1 to 4096; got 0"),
        ({"settings": {"population": 3}}, "population must be even"),
        ({"preset": "big"}, "preset must be one of paper, small, digits; got 'big'"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**32}, "seed must be a whole number from 0"),
    ],
)
def test_a_setting_out_of_range_is_refused_in_one_line(asked: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        SearchPlan.of(named("s"), SearchRequest(**asked))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"settings": None},
        {"settings": {"unknown": 1}},
        {"settings": asdict(SETTINGS) | {"channels": 0}},
        {"seed": -1},
        {"seed": "1"},
        {"out": 5},
        {"data": None},
        {"another": 1},
    ],
    ids=str,
)
def test_a_damaged_plan_is_refused_in_one_line(damage: dict[str, Any]) -> None:
    study, plan = begun()
    damaged: list[Any] = [asdict(plan) | damage, "text", [], 5]
    for stored in damaged:
        study.set_user_attr(PLAN_ATTRIBUTE, stored)
        for read in (SearchPlan.stored_in, lambda s: SearchPlan.of(s, SearchRequest())):
            with pytest.raises(
                SearchError, match="study 's' has an unreadable attribute"
            ) as caught:
                read(study)
            assert "\n" not in str(caught.value)


# --- studies


@pytest.mark.parametrize(
    "directions", [["maximize"], ["minimize", "minimize"], ["minimize", "maximize"]]
)
def test_a_study_of_other_directions_is_refused(directions: list[str]) -> None:
    study = named("s", directions=directions)
    with pytest.raises(SearchError, match=f"has the directions {', '.join(directions)}, but a"):
        check_study(study, SPACE)


def test_a_study_of_other_parameters_is_refused() -> None:
    study = named("s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(SearchError, match=r"another search space \(parameter 'x' of trial 0\)"):
        check_study(study, SPACE)


def test_a_study_of_cells_with_other_nodes_is_refused() -> None:
    study = named("s")
    wider = CellSpace(nodes=2)
    study.optimize(lambda trial: float(len(str(wider.suggest(trial)))), n_trials=1)
    with pytest.raises(SearchError, match="another search space"):
        check_study(study, SPACE)
    check_study(study, wider)


def test_an_empty_study_and_one_of_the_same_space_are_taken() -> None:
    study = named("s")
    check_study(study, SPACE)
    study.optimize(lambda trial: float(len(str(SPACE.suggest(trial)))), n_trials=2)
    check_study(study, SPACE)


def test_a_study_is_opened_or_made() -> None:
    storage = optuna.storages.InMemoryStorage()
    with pytest.raises(SearchError, match="study 'a' is not in the storage: it is empty"):
        open_study(storage, "a", create=False)
    made = open_study(storage, "a", create=True)
    assert open_study(storage, "a", create=False)._study_id == made._study_id
    assert open_study(storage, "a", create=True)._study_id == made._study_id
    with pytest.raises(SearchError, match="study 'b' is not in the storage: there are 'a'"):
        open_study(storage, "b", create=False)


# --- folders


def folder(name: str) -> Path:
    return Path(SearchPlan.of(named(name), SearchRequest()).out)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@example("..")
@example(".")
@example("a/b")
@example("/etc")
@example("..\\x")
@example("<b>")
@example("a. ")
@example("%2E")
@example("")
@example("x" * 512)
@example("\N{SNOWMAN}" * 512)
@example("a\0b\n")
def test_any_name_gives_one_folder_of_its_own_inside(name: str) -> None:
    found = folder(name)
    assert found.parent == Path("relativenas-out").absolute()
    assert found.name == found.resolve().name
    assert 0 < len(found.name.encode()) < 130
    assert not set(found.name) & set('<>:"/\\|?*\0\n')
    assert found.name == found.name.strip(". ")


@given(st.lists(st.text("ab./% ~", min_size=0), min_size=2, max_size=2, unique=True))
@example(["x" * 200, "x" * 201])
@example(["..", "%2E."])
def test_different_names_give_different_folders(names: list[str]) -> None:
    assert folder(names[0]) != folder(names[1])


def test_a_plain_name_is_its_folder() -> None:
    assert folder("my study-1_b").name == "my study-1_b"
