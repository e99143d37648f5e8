"""Fair sampling: the number of uses of each category, and the odds of each draw."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from relativenas_optuna.samplers.migo.fair_sampling import draw_sample, draw_sweep, uses_of
from relativenas_optuna.samplers.migo.natural_gradient import UNKNOWN, uniform


@given(
    st.lists(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=6), max_size=5),
    st.integers(1, 20),
    st.integers(0, 2**32),
)
def test_uses_in_a_sweep_differ_by_at_most_1(rows: list[list[float]], size: int, seed: int) -> None:
    weights = np.zeros((len(rows), 1 + max(map(len, rows), default=0)))
    for i, row in enumerate(rows):
        weights[i, 1 : 1 + len(row)] = row  # the first category is pruned
    random, uses = np.random.default_rng(seed), np.zeros(weights.shape, dtype=np.intp)
    for _ in range(3):
        sweep = draw_sweep(weights, size, random, uses=uses)
        assert sweep.shape == (size, len(rows))
        new = uses_of(sweep, uses.shape)
        uses += new
        for i, row in enumerate(rows):
            for counts in (new[i], uses[i]):  # in the sweep, and since the first one
                assert counts[0] == counts[1 + len(row) :].sum() == 0
                alive = counts[1 : 1 + len(row)]
                assert alive.max() - alive.min() <= (size % len(row) > 0)


def test_a_category_is_drawn_in_proportion_to_its_weight_among_the_least_used() -> None:
    weights = np.array([[1.0, 2.0, 5.0, 0.0], [3.0, 1.0, 0.0, 0.0]])
    uses = np.array([[1, 0, 0, 0], [2, 2, 0, 0]])
    random = np.random.default_rng(0)
    drawn = np.array([draw_sample(weights, uses, random) for _ in range(4000)])
    assert chisquare(np.bincount(drawn[:, 0])[1:], [4000 * 2 / 7, 4000 * 5 / 7]).pvalue > 0.01
    assert chisquare(np.bincount(drawn[:, 1]), [3000, 1000]).pvalue > 0.01
    assert not (drawn[:, 0] == 0).any()
    pairs = Counter(map(tuple, drawn.tolist()))
    expected = [4000 * p * q for p in (2 / 7, 5 / 7) for q in (3 / 4, 1 / 4)]
    found = [pairs[a, b] for a in (1, 2) for b in (0, 1)]
    assert chisquare(found, expected).pvalue > 0.01  # variables are independent


def test_without_fairness_each_sample_follows_the_weights() -> None:
    weights = np.array([[0.7, 0.2, 0.1]])
    sweep = draw_sweep(weights, 5000, np.random.default_rng(1), uses=None)
    assert chisquare(np.bincount(sweep[:, 0]), 5000 * weights[0]).pvalue > 0.01


@pytest.mark.parametrize("uses", [None, np.array([[3], [7]])])
def test_a_decided_distribution_draws_one_architecture(uses: Any) -> None:
    sweep = draw_sweep(uniform([1, 1]), 4, np.random.default_rng(0), uses=uses)
    assert sweep.tolist() == [[0, 0]] * 4


def test_categories_that_lag_behind_are_used_more_often() -> None:
    weights, uses = np.array([[1.0, 1e-9, 1.0]]), np.array([[5, 2, 4]])
    sweep = draw_sweep(weights, 5, np.random.default_rng(0), uses=uses)
    assert uses_of(sweep, uses.shape).tolist() == [[1, 2, 2]]
    assert uses.tolist() == [[5, 2, 4]]


def test_uses_are_counted_for_known_categories() -> None:
    samples = np.array([[0, 2], [UNKNOWN, 2], [0, UNKNOWN]])
    assert uses_of(samples, (2, 3)).tolist() == [[2, 0, 0], [0, 0, 2]]
