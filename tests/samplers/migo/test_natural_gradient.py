"""The update of MIGO, against steps by hand, a second formula, and by its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from relativenas_optuna.samplers.migo.natural_gradient import (
    UNKNOWN,
    bounded,
    fisher_norm,
    log_utilities,
    lower_bounds,
    natural_gradient,
    pruned,
    uniform,
    updated,
)

Vector = NDArray[np.float64]


@st.composite
def thetas(draw: st.DrawFn) -> Vector:
    """Draw distributions that keep their lower bounds; variables have different numbers."""
    counts = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    theta = uniform(counts)
    weights = draw(
        st.lists(st.floats(0, 1), min_size=theta.size, max_size=theta.size).map(np.array)
    )
    weighted = theta * weights.reshape(theta.shape) + 1e-6 * (theta > 0)
    return bounded(weighted / weighted.sum(axis=1, keepdims=True), theta > 0)


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[Vector, NDArray[np.intp], list[int]]:
    """Draw distributions, samples with unknown categories, and ranks with ties."""
    theta, size = draw(thetas()), draw(st.integers(1, 8))
    rows = [
        [draw(st.integers(UNKNOWN, int((row > 0).sum()) - 1)) for row in theta] for _ in range(size)
    ]
    ranks = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    return theta, np.array(rows, dtype=np.intp), ranks


def test_utilities_of_six_and_eight_samples_are_the_published_ones() -> None:
    six = [0.5865, 0.3154, 0.1005, -0.1005, -0.3154, -0.5865]
    assert log_utilities(range(6)).tolist() == pytest.approx(six, abs=5e-5)
    eight = [0.629, 0.4068, 0.2312, 0.0752]
    assert log_utilities(range(8))[:4].tolist() == pytest.approx(eight, abs=5e-4)


def test_utilities_belong_to_ranks_in_any_order() -> None:
    assert log_utilities([7, -2, 3]).tolist() == log_utilities(range(3))[[2, 0, 1]].tolist()


def test_ties_share_their_mean_utility_also_ties_of_negative_scores() -> None:
    a, b, c, d = log_utilities(range(4))
    assert log_utilities([-5, -5, 1, 2]).tolist() == pytest.approx([(a + b) / 2] * 2 + [c, d])
    assert log_utilities([-9, -1, -1, -1]).tolist() == pytest.approx([a] + [(b + c + d) / 3] * 3)
    assert log_utilities([-3] * 4).tolist() == pytest.approx([0.0] * 4, abs=1e-15)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_utilities_sum_to_0_and_fall_with_the_rank(ranks: list[int]) -> None:
    utilities = log_utilities(ranks)
    assert abs(utilities.sum()) < 1e-12
    assert np.abs(utilities).max() < 0.8
    for rank, utility in zip(ranks, utilities, strict=True):
        assert all(
            (other > utility) == (number < rank)
            for number, other in zip(ranks, utilities, strict=True)
        )


def test_a_step_is_the_one_by_hand() -> None:
    theta = np.array([[0.5, 0.25, 0.25], [0.4, 0.6, 0.0]])
    samples = np.array([[0, 1], [2, 0]])
    gradient = natural_gradient(theta, samples, np.array([1.0, -0.5]))
    # Row 0: (1 (0.5, -0.25, -0.25) - 0.5 (-0.5, -0.25, 0.75)) / 2
    assert gradient[0].tolist() == pytest.approx([0.375, -0.0625, -0.3125])
    # Row 1: (1 (-0.4, 0.4) - 0.5 (0.6, -0.6)) / 2
    assert gradient[1].tolist() == pytest.approx([-0.35, 0.35, 0.0])
    norm = fisher_norm(gradient, theta)
    squares = 0.375**2 / 0.5 + 0.0625**2 / 0.25 + 0.3125**2 / 0.25 + 0.35**2 / 0.4 + 0.35**2 / 0.6
    assert norm == pytest.approx(math.sqrt(squares))
    velocity = np.array([[0.02, 0.0, -0.02], [0.0, 0.0, 0.0]])
    moved = updated(theta, velocity, samples, np.array([1.0, -0.5]), step=0.1, momentum=0.5)
    assert moved is not None
    expected = 0.5 * velocity + 0.5 * 0.1 / norm * gradient
    assert moved[1].tolist() == pytest.approx(expected)
    # No probability comes near its lower bound, at most 1 / (2 K).
    assert moved[0].tolist() == pytest.approx(theta + expected)


@given(thetas(), st.randoms(use_true_random=False))
def test_the_norm_equals_the_formula_of_asng(theta: Vector, random: object) -> None:
    alive = theta > 0
    gradient = np.random.default_rng(random.randrange(2**32)).standard_normal(theta.shape)  # type: ignore[attr-defined]
    gradient = np.where(alive, gradient, 0.0)
    gradient -= theta * gradient.sum(axis=1, keepdims=True)
    squares = 0.0
    for probabilities, moved, count in zip(theta, gradient, alive.sum(axis=1), strict=True):
        first, last = probabilities[: count - 1], probabilities[count - 1]
        s = moved[: count - 1] / np.sqrt(first)
        s += np.sqrt(first) * moved[: count - 1].sum() / (last + np.sqrt(last))
        squares += float(s @ s)
    assert fisher_norm(gradient, theta) == pytest.approx(math.sqrt(squares))


@given(sweeps(), st.floats(0.01, 5), st.floats(0, 0.9))
def test_after_updates_rows_sum_to_1_and_keep_their_bounds(
    sweep: tuple[Vector, NDArray[np.intp], list[int]], step: float, momentum: float
) -> None:
    theta, samples, ranks = sweep
    velocity, alive = np.zeros_like(theta), theta > 0
    for _ in range(3):
        moved = updated(
            theta, velocity, samples, log_utilities(ranks), step=step, momentum=momentum
        )
        if moved is None:
            break
        theta, velocity = moved
        assert theta.sum(axis=1) == pytest.approx(1.0)
        assert ((theta > 0) == alive).all()
        assert (
            theta[alive] >= np.broadcast_to(lower_bounds(alive)[:, None], theta.shape)[alive]
        ).all()
        assert np.abs(velocity.sum(axis=1)).max() < 1e-12


@given(sweeps())
def test_a_first_step_has_the_given_length_and_raises_the_best(
    sweep: tuple[Vector, NDArray[np.intp], list[int]],
) -> None:
    theta, samples, ranks = sweep
    utilities = log_utilities(ranks)
    moved = updated(theta, np.zeros_like(theta), samples, utilities, step=0.3, momentum=0.0)
    if moved is None:
        return
    assert fisher_norm(moved[1], theta) == pytest.approx(0.3)
    # A step along the gradient raises the expected utility: both have a positive product.
    gradient = natural_gradient(theta, samples, utilities)
    assert (gradient * moved[1]).sum() > 0


def test_equal_scores_and_one_sample_alone_change_nothing() -> None:
    theta = uniform([3, 2])
    samples = np.array([[0, 0], [1, 1], [2, 0]])
    for chosen, ranks in ((samples, [4, 4, 4]), (samples[:1], [0])):
        utilities = log_utilities(ranks)
        assert updated(theta, theta, chosen, utilities, step=1.0, momentum=0.5) is None


def test_an_unknown_category_says_nothing_about_its_variable() -> None:
    theta = uniform([2, 2])
    samples = np.array([[0, UNKNOWN], [1, UNKNOWN]])
    gradient = natural_gradient(theta, samples, log_utilities([0, 1]))
    assert gradient[0, 0] > 0 > gradient[0, 1]
    assert gradient[1].tolist() == [0, 0]


def test_a_pruned_category_that_is_scored_says_nothing() -> None:
    theta = np.array([[0.5, 0.5, 0.0]])
    gradient = natural_gradient(theta, np.array([[2], [0]]), np.array([1.0, -1.0]))
    assert (
        gradient.tolist()
        == natural_gradient(theta, np.array([[UNKNOWN], [0]]), np.array([1.0, -1.0])).tolist()
    )


def test_lower_bounds_are_those_of_asng_from_four_variables_on() -> None:
    assert lower_bounds(uniform([5] * 4) > 0).tolist() == pytest.approx([1 / (4 * 4)] * 4)
    assert lower_bounds(uniform([3, 2, 4, 2, 1]) > 0).tolist() == pytest.approx(
        [1 / (4 * 2), 1 / (4 * 1), 1 / (4 * 3), 1 / (4 * 1), 0]
    )
    assert lower_bounds(uniform([2]) > 0).tolist() == [0.25]
    assert lower_bounds(uniform([10, 10]) > 0).tolist() == [0.05, 0.05]


def test_a_distribution_at_its_bound_stays_there_and_can_leave_it() -> None:
    counts = [3] * 4
    low = 1 / (4 * 2)
    theta = np.tile([1 - 2 * low, low, low], (4, 1))
    samples = np.array([[0] * 4, [1] * 4, [2] * 4])
    for best, direction in ((0, 0), (1, 1)):
        ranks = [1, 1, 1]
        ranks[best] = 0
        moved = updated(
            theta, np.zeros_like(theta), samples, log_utilities(ranks), step=0.2, momentum=0.0
        )
        assert moved is not None
        assert (moved[0] >= low).all()
        assert moved[0].sum(axis=1) == pytest.approx(np.ones(len(counts)))
        assert (moved[0][:, direction] >= theta[:, direction]).all()
        assert moved[0][:, 2].tolist() == [low] * 4


@given(thetas())
def test_pruning_drops_one_least_likely_category_until_one_is_left(theta: Vector) -> None:
    velocity = np.where(theta > 0, np.arange(theta.shape[1]) - 1.0, 0.0)
    velocity -= theta * velocity.sum(axis=1, keepdims=True)
    while (theta > 0).sum() > len(theta):
        before, alive = theta, theta > 0
        theta, velocity = pruned(theta, velocity)
        lost = alive & (theta == 0)
        several = alive.sum(axis=1) > 1
        assert (lost.sum(axis=1) == several).all()
        for row, gone in zip(before[several], lost[several], strict=True):
            assert row[gone][0] == row[row > 0].min()
        assert theta.sum(axis=1) == pytest.approx(1.0)
        assert np.abs(velocity.sum(axis=1)).max() < 1e-12
        assert (velocity[theta == 0] == 0).all()
    after = pruned(theta, velocity)
    assert after[0].tolist() == theta.tolist()


def test_of_equal_probabilities_the_one_with_the_lowest_velocity_is_pruned() -> None:
    theta = np.array([[0.2, 0.2, 0.6]] * 4)
    velocity = np.array([[0.1, -0.2, 0.1]] * 3 + [[-0.2, 0.1, 0.1]])
    assert (pruned(theta, velocity)[0] == 0).tolist() == [[False, True, False]] * 3 + [
        [True, False, False]
    ]
