"""Searches with a time: their plan, what they record, and what a started one can change."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any

import optuna
import pytest
import torch

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.store import FinalsStore
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.search import Search
from relativenas_optuna.search.speed import measured_speed
from relativenas_optuna.search.time_used import (
    PASSES_ATTRIBUTE,
    USED_ATTRIBUTE,
    TimeUsed,
    stored_passes,
    without_time,
)
from tests.helpers.tiny_search import SETTINGS, same_bits, scores, write_images

TIME = 8.0  # seconds
FINALS = FinalsSettings(shortlist=4, cells=3, channels=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data"))


def asked(data: Path, out: Path, *, uniform: int = 1, **request: Any) -> SearchRequest:
    changes = {n: v for n, v in asdict(SETTINGS).items() if n != "generations"}
    settings = changes | {"uniform_epochs": uniform} | request.pop("settings", {})
    return SearchRequest(data=str(data), out=str(out), settings=settings, seed=3, **request)


def search(study: optuna.Study, request: SearchRequest, finals: bool = True) -> Search:
    plan = SearchPlan.of(study, request)
    if finals and plan.finals is not None:
        plan = replace(plan, finals=FINALS, keeps_shortlist=True)
    return Search(study, plan, device="cpu")


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Search:
    out = tmp_path_factory.mktemp("out")
    found = search(optuna.create_study(study_name="s"), asked(data, out, time=TIME))
    found.run()
    found.choose()
    return found


def test_generations_and_epochs_are_planned_and_stored(finished: Search) -> None:
    within, plan = finished.time_plan, finished.plan
    assert within is not None
    assert (within.generations, within.uniform_epochs) == (
        plan.settings.generations,
        plan.settings.uniform_epochs,
    )
    assert within.weights + within.scoring + within.finals <= TIME
    stored = SearchPlan.stored_in(finished.study)
    assert stored is not None
    assert (stored.settings, stored.speed, stored.time) == (plan.settings, plan.speed, TIME)
    assert finished.scored == finished.total


def test_finals_take_the_time_that_is_left(finished: Search) -> None:
    record = FinalsStore(finished.study).read()
    assert record is not None
    passes = stored_passes(finished.study, finished.plan.settings.generations)
    assert passes is not None
    assert passes >= 1
    assert min(record.epochs) >= 1
    used = finished.study.user_attrs[USED_ATTRIBUTE]
    assert 0 < used <= (finished.seconds_used or 0)


def test_the_same_numbers_without_a_time_give_the_same_scores(
    finished: Search, data: Path, tmp_path: Path
) -> None:
    names = ("generations", "uniform_epochs")
    numbers = {name: getattr(finished.plan.settings, name) for name in names}
    other = search(optuna.create_study(), asked(data, tmp_path, settings=numbers, finals=0))
    other.run()
    assert scores(other.study) == scores(finished.study)


def test_a_started_search_keeps_its_plan(finished: Search) -> None:
    for request in (SearchRequest(), SearchRequest(time=TIME)):
        again = SearchPlan.of(finished.study, request)
        assert (again.settings, again.speed) == (finished.plan.settings, finished.plan.speed)


def test_more_time_adds_generations(finished: Search) -> None:
    longer = SearchPlan.of(finished.study, SearchRequest(time=10 * TIME))
    assert longer.time == 10 * TIME
    assert longer.settings.generations > finished.plan.settings.generations
    assert longer.settings.uniform_epochs == finished.plan.settings.uniform_epochs


def test_what_a_started_search_refuses(finished: Search, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"time must be at least 8s, the present time of"):
        SearchPlan.of(finished.study, SearchRequest(time=TIME / 2))
    with pytest.raises(SearchError, match=r"must grow by at least .*, because one more generation"):
        SearchPlan.of(finished.study, SearchRequest(time=TIME + 1e-3))
    with pytest.raises(SearchError, match="generations must be left out with a time"):
        SearchPlan.of(finished.study, SearchRequest(time=99, settings={"generations": 3}))
    study = optuna.create_study(study_name="free")
    SearchPlan.of(study, asked(data, tmp_path)).store(study)
    with pytest.raises(SearchError, match="time 60s does not fit study 'free', which was started"):
        SearchPlan.of(study, SearchRequest(time=60))


def test_generations_end_the_budget(finished: Search) -> None:
    more = finished.plan.settings.generations + 2
    plan = SearchPlan.of(finished.study, SearchRequest(settings={"generations": more}))
    assert (plan.time, plan.speed, plan.settings.generations) == (None, None, more)


def test_the_plan_without_its_time_has_the_same_passes(finished: Search) -> None:
    free = without_time(finished.study, finished.plan)
    assert free.settings == finished.plan.settings
    assert free.finals is not None
    passes = stored_passes(finished.study, free.settings.generations)
    assert (free.time, free.finals.passes) == (None, passes)
    assert without_time(finished.study, free) == free


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "60", True])
def test_a_time_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(ValueError, match="time must be a finite number of at least 1"):
        SearchPlan.of(optuna.create_study(), SearchRequest(time=seconds))


@pytest.mark.parametrize("uniform", [0, 1])
def test_too_short_a_time_leaves_nothing_in_the_study(
    uniform: int, data: Path, tmp_path: Path
) -> None:
    study = optuna.create_study()
    with pytest.raises(SearchError, match=r"time must be at least \d+m for these images"):
        search(study, asked(data, tmp_path, uniform=uniform, time=1, settings={"population": 4000}))
    assert SearchPlan.stored_in(study) is None


@pytest.mark.slow
def test_candidates_that_train_share_their_time_with_the_finals(data: Path, tmp_path: Path) -> None:
    plan = search(optuna.create_study(), asked(data, tmp_path, uniform=0, time=TIME)).plan
    assert plan.settings.uniform_epochs == 0
    assert plan.settings.generations >= 2
    assert plan.speed is not None
    assert plan.speed.candidate == pytest.approx(plan.speed.epoch, rel=1)


def test_measuring_changes_neither_weights_nor_random_states(data: Path, tmp_path: Path) -> None:
    found = search(optuna.create_study(), asked(data, tmp_path))
    before = {name: t.clone() for name, t in found.objective.supernet.state_dict().items()}
    state = torch.random.get_rng_state()
    speed = measured_speed(found.objective, found.plan)
    assert min(speed.epoch, speed.candidate, speed.final_pass) > 0
    assert same_bits(found.objective.supernet.state_dict(), before)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_time_of_all_runs_adds_up() -> None:
    study = optuna.create_study()
    first = TimeUsed(study, leads=True)
    first.write(now=True)
    study.set_user_attr(USED_ATTRIBUTE, 100.0)
    second = TimeUsed(study, leads=True, begun=monotonic() - 5)
    assert 105 <= second.seconds < 115
    worker = TimeUsed(study, leads=False)
    with worker.written():
        assert worker.seconds == 100.0
    with pytest.raises(KeyboardInterrupt), second.written():
        raise KeyboardInterrupt
    assert worker.seconds >= 105


@pytest.mark.parametrize("junk", [None, "x", [1], -1, 1e300, True, {}])
def test_junk_in_the_attributes_is_no_time(junk: Any) -> None:
    study = optuna.create_study()
    study.set_user_attr(USED_ATTRIBUTE, junk)
    assert TimeUsed(study, leads=False).seconds == 0
    study.set_user_attr(PASSES_ATTRIBUTE, junk)
    assert stored_passes(study, 1) is None
