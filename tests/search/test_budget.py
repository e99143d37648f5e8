"""Plans within a time: bounds, and what more time changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relativenas_optuna._utils.durations import seconds_in
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.settings import SearchSettings, preset
from relativenas_optuna.search.budget import (
    FINALS,
    LEAST_EPOCHS,
    LEAST_GENERATIONS,
    MOST_EPOCHS,
    MOST_TRIALS,
    OF_TRIAL,
    REST,
    SCORING,
    WEIGHTS,
    Budget,
    TimePlan,
)
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.speed_record import Speed

SMALL = replace(preset("small"), uniform_epochs=0, tuning=0.0)
UNIFORM = replace(SMALL, uniform_epochs=1)

per_image = st.floats(1e-5, 1e-1)
speeds = st.builds(
    Speed.of_images,
    st.sampled_from([SMALL, UNIFORM, replace(UNIFORM, tuning=0.5)]),
    training=st.integers(50, 50_000),
    validation=st.integers(50, 50_000),
    calibration=st.integers(50, 512),
    evaluations=st.integers(0, 70),
    train=per_image,
    score=per_image,
    final=per_image,
    workers=st.integers(1, 5),
)
budgets = st.builds(
    Budget,
    settings=st.sampled_from([SMALL, UNIFORM]),
    finals=st.none() | st.builds(FinalsSettings, shortlist=st.integers(2, 16)),
    speed=speeds,
    keeps_scores=st.booleans(),
)


def planned(budget: Budget, seconds: float, used: float = 0.0) -> TimePlan | None:
    try:
        return budget.plan(seconds, used=used)
    except SearchError:
        return None


def seconds_of(plan: TimePlan) -> float:
    return plan.weights + plan.scoring + plan.finals


@given(budgets, st.floats(1, 1e6), st.floats(0, 0.5))
def test_a_plan_fits_into_its_time(budget: Budget, seconds: float, used: float) -> None:
    plan = planned(budget, seconds, used * seconds)
    assume(plan is not None)
    assert plan is not None
    assert seconds_of(plan) <= (1 - used) * seconds * (1 - REST) * (1 + 1e-6)
    assert plan.generations >= LEAST_GENERATIONS
    uniform = budget.settings.uniform_epochs > 0
    assert plan.uniform_epochs >= LEAST_EPOCHS if uniform else plan.uniform_epochs == 0
    assert plan.passes >= 1 if budget.finals else plan.passes == 0
    if budget.keeps_scores:
        assert plan.generations * budget.settings.population / 2 <= MOST_TRIALS


@given(budgets, st.floats(1, 1e6), st.floats(1, 10))
def test_more_time_is_never_less_work(budget: Budget, seconds: float, more: float) -> None:
    plan, longer = planned(budget, seconds), planned(budget, more * seconds)
    assume(plan is not None)
    assert plan is not None
    assert longer is not None
    assert longer.uniform_epochs >= plan.uniform_epochs
    assert longer.generations >= plan.generations
    assert longer.passes >= plan.passes


@given(budgets, st.floats(1e-3, 1e6))
def test_the_named_least_time_is_enough(budget: Budget, seconds: float) -> None:
    try:
        budget.plan(seconds)
    except SearchError as error:
        least = str(error).split("at least ")[1].split(" ")[0]
        assert budget.plan(seconds_in(least)).generations >= LEAST_GENERATIONS
        assert seconds_in(least) > seconds


def speed_of(settings: SearchSettings, slower: float = 1.0) -> Speed:
    return Speed.of_images(
        settings,
        training=1000,
        validation=1000,
        calibration=512,
        evaluations=0,
        train=slower * 1e-4,
        score=slower * 3e-5,
        final=slower * 1e-4,
    )


def test_time_is_divided_by_the_shares() -> None:
    budget = Budget(
        settings=UNIFORM,
        finals=FinalsSettings(),
        speed=speed_of(UNIFORM),
        keeps_scores=False,
    )
    slow = replace(budget, speed=speed_of(UNIFORM, slower=100))
    plan = slow.plan(4000)
    assert plan.weights == pytest.approx(4000 * WEIGHTS, rel=0.12)
    assert plan.scoring == pytest.approx(4000 * SCORING, rel=0.12)
    assert plan.finals == pytest.approx(4000 * FINALS, rel=0.12)
    assert plan.uniform_epochs == round(plan.weights / 10)
    assert plan.passes == pytest.approx(plan.finals / 10, rel=0.15)
    alone = replace(budget, finals=None).plan(1000)
    assert alone.weights + alone.scoring == pytest.approx(1000 * (1 - REST), rel=0.02)
    trained = replace(
        budget,
        settings=SMALL,
        speed=speed_of(SMALL),
    ).plan(1000)
    assert trained.uniform_epochs == 0
    assert trained.scoring == pytest.approx(1000 * (WEIGHTS + SCORING), rel=0.02)
    assert trained.generations == math.floor(trained.scoring / (8 * (0.13 + OF_TRIAL)) + 0.5)


def test_the_finals_get_what_the_shared_weights_do_not_need() -> None:
    budget = Budget(
        settings=UNIFORM, finals=FinalsSettings(), speed=speed_of(UNIFORM), keeps_scores=False
    )
    plan = budget.plan(1000)
    assert plan.uniform_epochs == MOST_EPOCHS
    assert plan.finals == pytest.approx(1000 * (1 - REST - SCORING) - plan.weights, rel=0.02)


@given(budgets, st.floats(1, 1e6))
def test_more_time_for_a_started_search_adds_generations(budget: Budget, seconds: float) -> None:
    try:
        more = budget.more_generations(seconds)
    except SearchError:
        return
    assert more >= 1
    assert more * budget.speed.candidate / budget.speed.workers <= seconds


def test_many_workers_wait_for_the_steps_of_a_shortlist() -> None:
    speed = replace(speed_of(UNIFORM), workers=8, final_score=0.0)
    budget = Budget(settings=UNIFORM, finals=FinalsSettings(), speed=speed, keeps_scores=True)
    # 8, 4 and 4 architectures for 2 epochs, one group after another; then 4 for 4 epochs.
    assert budget._trainings(48, of_pass=1.0) == pytest.approx(3 * 2 + 4)


@given(budgets, st.floats(0, 1e5), st.floats(1e-3, 1e3))
def test_passes_are_the_most_that_fit(budget: Budget, seconds: float, of_pass: float) -> None:
    assume(budget.finals is not None)
    passes = budget.passes(seconds, of_pass=of_pass)
    assert passes >= 1
    assert budget._trainings(passes + 1, of_pass) > seconds
    assert passes == 1 or budget._trainings(passes, of_pass) <= seconds
