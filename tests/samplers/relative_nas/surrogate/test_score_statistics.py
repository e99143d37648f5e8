"""Score statistics, against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.samplers.relative_nas.surrogate.history import History
from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import (
    WORTHLESS,
    ScoreStatistics,
    StatisticsTable,
)

SCORES = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([math.inf, -math.inf, WORTHLESS, -WORTHLESS])
)


def statistics_of(losses: list[float]) -> ScoreStatistics:
    known = ScoreStatistics()
    for loss in losses:
        known = known.with_score(loss)
    return known


@given(st.lists(SCORES, max_size=12))
def test_statistics_match_exact_arithmetic_on_usable_scores(losses: list[float]) -> None:
    good = [loss for loss in losses if abs(loss) < WORTHLESS]
    known = statistics_of(losses)
    assert known.count == len(good)
    assert known.evaluations == len(losses)
    assert known.degrees_of_freedom == max(len(good) - 1, 0)
    assert known.failed_reevaluations == (len(losses) - len(good) if good else 0)
    if good:
        mean = sum(map(Fraction, good)) / len(good)
        squares = sum((Fraction(loss) - mean) ** 2 for loss in good)
        assert known.mean == pytest.approx(float(mean), rel=1e-9, abs=1e-9)
        assert known.squared_deviations == pytest.approx(float(squares), rel=1e-9, abs=1e-9)
    else:
        assert known.mean == min(losses, default=math.inf)


@given(st.floats(-1e300, 1e300), st.integers(1, 12))
def test_equal_scores_have_exactly_zero_deviation(loss: float, number: int) -> None:
    assert statistics_of([loss] * number) == ScoreStatistics(number, loss, 0.0, number)


@given(
    scores=st.lists(st.lists(st.tuples(st.integers(0, 3), SCORES), max_size=6), max_size=5),
    asked=st.lists(st.integers(-1, 4), max_size=6),
    more=SCORES,
)
def test_the_table_counts_generations_up_to_the_given_one(
    scores: list[list[tuple[int, float]]], asked: list[int], more: float
) -> None:
    history = History()
    for generation, scored in enumerate(scores):
        for seat, (where, loss) in enumerate(scored):
            history.add(generation, seat, np.array([float(where)]), loss)
    table = StatisticsTable(history)
    for last in [generation for generation in asked if generation < len(scores)]:
        table.read_up_to(last)
        known = {
            where: [loss for scored in scores[: last + 1] for w, loss in scored if w == where]
            for where in range(4)
        }
        statistics = {where: statistics_of(losses) for where, losses in known.items()}
        assert {where: table.at(np.array([float(where)])) for where in range(4)} == statistics
        assert table.failed_reevaluations == sum(
            known.failed_reevaluations for known in statistics.values()
        )
        statistics[0] = statistics[0].with_score(more)
        freedom = sum(max(known.count - 1, 0) for known in statistics.values())
        squares = math.fsum(known.squared_deviations for known in statistics.values())
        expected = math.sqrt(squares / freedom) if freedom else 0.0
        noise, beyond = table.noise(np.array([0.0]), statistics[0])
        assert noise == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert beyond == freedom


def test_noise_that_overflows_is_infinite() -> None:
    history = History()
    for seat, loss in enumerate([8e307, -8e307, 1.0, 7e307, -7e307, 7e307]):
        history.add(0, seat, np.array([0.0]), loss)
    table = StatisticsTable(history)
    table.read_up_to(0)
    assert table.noise(np.array([1.0]), ScoreStatistics()) == (math.inf, 3)
    assert table.noise(np.array([0.0]), table.at(np.array([0.0]))) == (math.inf, 3)
