"""Test means, deviations and intervals against SciPy and simulated accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from relativenas_optuna.evaluation.comparison.figures import (
    DRAWN,
    FOUND,
    KINDS,
    PUBLISHED,
    RANDOM,
    Compared,
    Training,
    beaten,
    deviation,
    differences,
    seed_variance,
)

shares = st.floats(0.0, 1.0)
samples = st.lists(shares, min_size=2, max_size=5)


def compared(kind: str, accuracies: list[float], name: str = "") -> Compared:
    return Compared(
        kind=kind,
        name=name or kind,
        genotype="normal: node2 a(0)\nreduce: node2 a(0)",
        parameters=1000,
        multiply_adds=2_500_000,
        epochs=3,
        latency=0.002,
        trainings=tuple(
            Training(seed=i, test_accuracy=a, validation_accuracy=None, seconds=2.0 * i)
            for i, a in enumerate(accuracies)
        ),
    )


@given(st.lists(shares, min_size=1, max_size=6))
def test_means_and_deviations_are_those_of_numpy(accuracies: list[float]) -> None:
    one = compared(FOUND, accuracies)
    assert one.accuracy == pytest.approx(np.mean(accuracies))
    assert one.seconds == pytest.approx(len(accuracies) - 1)
    spread = deviation(one.accuracies)
    if len(accuracies) == 1:
        assert spread is None
    else:
        assert spread == pytest.approx(np.std(accuracies, ddof=1))


@given(st.lists(samples, min_size=1, max_size=5))
def test_the_variance_over_seeds_is_pooled(groups: list[list[float]]) -> None:
    variance, degrees = seed_variance([compared(RANDOM, group) for group in groups])
    assert degrees == sum(len(group) - 1 for group in groups)
    weighted = sum((len(group) - 1) * np.var(group, ddof=1) for group in groups)
    assert variance == pytest.approx(weighted / degrees)


def interval(points: float, margin: float | None) -> tuple[float, float]:
    assert margin is not None
    return points - margin, points + margin


@given(samples, samples)
def test_the_interval_for_one_architecture_is_students(
    found: list[float], other: list[float]
) -> None:
    if min(np.ptp(found), np.ptp(other)) < 1e-6:
        return
    (one,) = differences([compared(FOUND, found), compared(DRAWN, other)])
    assert one.other == "random search"
    expected = stats.ttest_ind(found, other).confidence_interval(0.95)
    assert interval(one.points, one.margin) == pytest.approx((expected.low, expected.high))


@given(samples, samples)
def test_the_interval_for_the_random_group_is_welchs(
    found: list[float], group: list[float]
) -> None:
    if min(np.ptp(found), np.ptp(group)) < 1e-6:
        return
    (one,) = differences([compared(FOUND, found), *(compared(RANDOM, [a]) for a in group)])
    assert one.other == f"{len(group)} random architectures"
    welch = stats.ttest_ind(found, group, equal_var=False).confidence_interval(0.95)
    assert interval(one.points, one.margin) == pytest.approx((welch.low, welch.high))


def test_equal_architectures_are_rarely_called_different() -> None:
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(400):
        means = 0.5 + 0.02 * rng.standard_normal(6)
        everyone = [
            compared(FOUND if i == 0 else RANDOM, (mean + 0.01 * rng.standard_normal(2)).tolist())
            for i, mean in enumerate([0.5, *means[1:]])
        ]
        (one,) = differences(everyone)
        sure += one.is_sure
    assert 0.02 < sure / 400 < 0.09


def test_too_few_trainings_give_no_interval() -> None:
    once = [compared(FOUND, [0.9]), compared(PUBLISHED, [0.5], "P"), compared(RANDOM, [0.1])]
    for one in differences(once):
        assert one.margin is None
        assert not one.is_sure
        assert one.meaning.startswith(f"The difference from {one.other} is +")
        assert one.meaning.endswith("points (too few trainings for an interval).")
    (published, group) = differences([compared(o.kind, o.accuracies * 2) for o in once])
    assert published.margin == 0  # two that are alike to the last bit
    assert published.is_sure
    assert group.margin is None  # of a single random one nobody knows how they vary


@pytest.mark.parametrize(
    ("found", "meaning"),
    [
        ([0.60, 0.61], "The found architecture is better than P (published): +10.00 points (95 %"),
        ([0.40, 0.41], "The found architecture is worse than P (published): -10.00 points (95 %"),
        ([0.49, 0.54], "The difference from P (published) is within the noise: +1.00"),
    ],
)
def test_a_difference_is_described_in_one_sentence(found: list[float], meaning: str) -> None:
    (one,) = differences([compared(FOUND, found), compared(PUBLISHED, [0.50, 0.51], "P")])
    assert one.meaning.startswith(meaning)
    assert one.is_sure == ("noise" not in meaning)


@given(shares, st.lists(shares, max_size=6))
def test_beaten_random_architectures_are_counted(found: float, group: list[float]) -> None:
    everyone = [compared(FOUND, [found]), *(compared(RANDOM, [a]) for a in group)]
    assert beaten(everyone) == (sum(a < found for a in group), len(group))


def test_the_order_of_architectures_does_not_matter() -> None:
    everyone = [compared(kind, [0.1 * i, 0.2 * i]) for i, kind in enumerate([*KINDS, RANDOM], 1)]
    one, other = (
        {d.other: (d.points, d.margin) for d in differences(order)}
        for order in (everyone, everyone[::-1])
    )
    assert (
        one.keys()
        == other.keys()
        == {
            "random search",
            "published",
            "torchvision",
            "2 random architectures",
        }
    )
    for name, figures in one.items():
        assert figures == pytest.approx(other[name])
