"""Plans for a time that use fewer images, and shorter or longer shortlists."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from relativenas_optuna._utils.durations import seconds_in
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.budget import REST, TimePlan
from relativenas_optuna.search.plan import SearchPlan, SearchRequest
from relativenas_optuna.search.speed import ImageSeconds
from relativenas_optuna.search.time_plan import (
    ENOUGH_EPOCHS,
    LEAST_IMAGES,
    LEAST_OF_CLASS,
    SHORTLISTS,
    best_plan,
    images_in_time,
)
from relativenas_optuna.training.data.load import load_images

PLAN = SearchPlan.of(optuna.create_study(), SearchRequest(data="images", time=600))
# A core trains the shared weights on 250 images of 32 pixels a second, and the finals on 170.
CORE = ImageSeconds(train=4e-3, score=9e-4, final=6e-3)


def labels(images: int, classes: int = 10) -> torch.Tensor:
    return torch.arange(images) % classes


def planned(seconds: float, images: int, plan: SearchPlan = PLAN) -> tuple[TimePlan, SearchPlan]:
    return best_plan(replace(plan, time=seconds), CORE, labels(images), used=5, workers=1)


@given(st.floats(10, 1e5), st.integers(20, 60_000), st.integers(1, 4))
def test_a_plan_fits_with_the_images_that_it_takes(
    seconds: float, images: int, workers: int
) -> None:
    try:
        within, plan = best_plan(
            replace(PLAN, time=seconds), CORE, labels(images), used=5, workers=workers
        )
    except SearchError:
        assume(False)
    total = within.weights + within.scoring + within.finals
    assert total <= (seconds - 5) * (1 - REST) * (1 + 1e-6)
    assert plan.images is None or plan.images >= max(LEAST_IMAGES, 10 * LEAST_OF_CLASS)
    assert plan.images is None or plan.images < images
    assert plan.finals is not None
    assert plan.finals.shortlist in SHORTLISTS


def test_short_times_take_fewer_images_and_a_shorter_shortlist() -> None:
    numbers = [planned(60 * minutes, 5000)[1] for minutes in (3, 10, 30, 240)]
    images = [plan.images or 5000 for plan in numbers]
    shortlists = [plan.finals.shortlist for plan in numbers if plan.finals]
    assert images == sorted(images)
    assert images[0] < 5000
    assert images[-1] == 5000
    assert shortlists == [4, 8, 16, 32]
    # In 3 minutes even the smallest number of images has fewer epochs.
    assert min(plan.settings.uniform_epochs for plan in numbers[1:]) >= ENOUGH_EPOCHS


def test_a_requested_shortlist_stays() -> None:
    asked = SearchRequest(data="images", time=600, finals=6)
    plan = SearchPlan.of(optuna.create_study(), asked)
    for seconds in (200, 36_000):
        finals = planned(seconds, 5000, plan)[1].finals
        assert finals is not None
        assert finals.shortlist == 6


def test_few_images_are_all_used() -> None:
    assert planned(60, 600)[1].images is None
    few = torch.cat([labels(5000), torch.tensor([10] * 15)])  # a class of 15 images
    assert best_plan(replace(PLAN, time=180), CORE, few, used=5, workers=1)[1].images is None


def test_the_named_least_time_is_enough_for_fewer_images() -> None:
    with pytest.raises(SearchError, match="time must be at least") as error:
        planned(10, 5000)
    least = str(error.value).split("at least ")[1].split(" ")[0]
    assert planned(seconds_in(least), 5000)[1].images == 1250


def test_the_images_of_a_plan_have_equal_shares_of_each_class() -> None:
    images = load_images("digits")
    assert images_in_time(PLAN, images) is images
    some = images_in_time(replace(PLAN, images=150), images)
    assert len(some) == 150
    whole = images.labels.bincount() / len(images)
    assert torch.allclose(some.labels.bincount() / 150, whole, atol=1 / 150)
