"""Test the agreement of two rankings against pairs that are counted one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relativenas_optuna.evaluation.fidelity import rank_correlation as fidelity_figures
from relativenas_optuna.evaluation.fidelity.rank_correlation import agreement


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity_figures, "RESAMPLES", 200)


RANKS = st.integers(0, 4)  # few, so that many are equal


def tau_by_pairs(one: list[float], other: list[float]) -> float:
    """Return Kendall's tau-b by its definition."""
    concordant = discordant = differing_one = differing_other = 0
    for (a, x), (b, y) in itertools.combinations(zip(one, other, strict=True), 2):
        concordant += (a < b and x < y) or (a > b and x > y)
        discordant += (a < b and x > y) or (a > b and x < y)
        differing_one += a != b
        differing_other += x != y
    scale = math.sqrt(differing_one * differing_other)
    return (concordant - discordant) / scale if scale else math.nan


@settings(max_examples=30, deadline=None)
@given(pairs=st.lists(st.tuples(RANKS, RANKS), min_size=2, max_size=12))
def test_tau_equals_its_definition_by_pairs(pairs: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity_figures, "RESAMPLES", 30)
        one, other = [[float(rank) for rank in ranks] for ranks in zip(*pairs, strict=True)]
        found = agreement(one, other, seed=0)
    assert found.tau == pytest.approx(tau_by_pairs(one, other), nan_ok=True)
    assert math.isnan(found.low) == math.isnan(found.high) == math.isnan(found.tau)


def test_equal_and_opposite_orders_have_tau_of_one() -> None:
    losses = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    same = agreement(losses, [10 * loss for loss in losses], seed=0)
    assert (same.tau, same.low, same.high) == pytest.approx((1, 1, 1))
    assert "better than chance: it puts 100 of 100 pairs" in same.meaning
    opposite = agreement(losses, [-loss for loss in losses], seed=0)
    assert (opposite.tau, opposite.low, opposite.high) == pytest.approx((-1, -1, -1))
    assert "worse than chance: it puts 0 of 100 pairs" in opposite.meaning


def test_random_scores_show_no_agreement() -> None:
    rng = np.random.default_rng(0)
    found = agreement(rng.normal(size=20).tolist(), rng.normal(size=20).tolist(), seed=0)
    assert found.low < 0 < found.high
    assert found.meaning.startswith("20 architectures do not show whether")


def test_scores_that_are_all_equal_have_no_tau() -> None:
    found = agreement([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], seed=0)
    assert math.isnan(found.tau)
    assert str(found) == "no tau, since all are equal"
    assert found.meaning.startswith("The sample shows nothing")


def test_more_architectures_make_the_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    score = truth + rng.normal(size=200)  # of which tau is 0.5
    few, many = (agreement(score[:n].tolist(), truth[:n].tolist(), seed=0) for n in (20, 200))
    for found in (few, many):
        assert found.low < 0.5 < found.high
        assert found.low < found.tau < found.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    score, truth = [3.0, 1.0, 2.0, 5.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    assert agreement(score, truth, seed=1) == agreement(score, truth, seed=1)


def test_nan_counts_as_the_worst_score() -> None:
    found = agreement([1.0, math.nan, 2.0], [1.0, 3.0, 2.0], seed=0)
    assert found == agreement([1.0, math.inf, 2.0], [1.0, 3.0, 2.0], seed=0)
    assert found.tau == pytest.approx(1)


def test_the_best_scores_are_searched_in_the_best_third() -> None:
    truth = [float(rank) for rank in range(10)]  # the best third are 0, 1, 2 and 3
    score = [9.0, 0.0, 8.0, 1.0, 2.0, 3.0, 4.0, 7.0, 6.0, 5.0]  # the best five are 1, 3, 4, 5, 6
    found = agreement(score, truth, seed=0)
    assert (found.top, found.top_of, found.top_found) == (5, 4, 2)
    assert found.top_by_chance == pytest.approx(2)


def test_few_architectures_shorten_the_top() -> None:
    found = agreement([1.0, 2.0], [2.0, 1.0], seed=0)
    assert (found.top, found.top_of, found.top_found) == (2, 1, 1)


@pytest.mark.parametrize(("score", "truth"), [([1.0], [1.0]), ([1.0, 2.0], [1.0])])
def test_fewer_than_two_scores_are_refused(score: list[float], truth: list[float]) -> None:
    with pytest.raises(ValueError, match="the same length of at least 2; got"):
        agreement(score, truth, seed=0)
