"""Categories of parameters of every kind, forth and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, finite_count, interval, is_value_of
from relativenas_optuna.samplers.migo.categories import CategorySpace, categories_of
from relativenas_optuna.samplers.migo.natural_gradient import UNKNOWN
from tests.helpers.samplers import strategies

shares = st.floats(0, 1, exclude_max=True)


@given(strategies.distributions(), st.integers(2, 12), shares, shares)
def test_a_point_of_a_category_decodes_to_a_value_of_it(
    distribution: BaseDistribution, bins: int, which: float, share: float
) -> None:
    assume(not distribution.single())
    categories = categories_of(distribution, bins)
    labels = categories.labels
    category = int(which * len(labels))
    point = categories.point(category, share)
    low, high = interval(distribution)
    assert low <= point <= high
    value = decode(distribution, point)
    assert is_value_of(distribution, value)
    assert 0 <= categories.index_of(value) < len(labels)
    if finite_count(distribution) is not None or _is_wide(distribution):
        assert categories.index_of(value) == category


def _is_wide(distribution: BaseDistribution) -> bool:
    """Return True if neighbouring floats are close, seen from the width of a range."""
    low, high = interval(distribution)
    return high - low > 1e-9 * max(abs(low), abs(high), 1e-290)


@given(strategies.distributions(), st.integers(2, 12), shares)
def test_a_value_belongs_to_the_category_whose_label_holds_it(
    distribution: BaseDistribution, bins: int, share: float
) -> None:
    assume(not distribution.single())
    assume(finite_count(distribution) is not None or _is_wide(distribution))
    low, high = interval(distribution)
    value = decode(distribution, low + share * (high - low))
    categories = categories_of(distribution, bins)
    label = categories.labels[categories.index_of(value)]
    if isinstance(label, tuple):
        assert label[0] <= value <= label[1] or math.isclose(value, label[1], rel_tol=1e-9)
    else:
        assert distribution.to_internal_repr(label) == distribution.to_internal_repr(value)


@given(strategies.distributions(), st.integers(2, 12))
def test_numbers_have_at_most_as_many_categories_as_bins(
    distribution: BaseDistribution, bins: int
) -> None:
    assume(not distribution.single())
    count = len(categories_of(distribution, bins).labels)
    if isinstance(distribution, CategoricalDistribution):
        assert count == len(distribution.choices)  # the strategy has no equal choices
    elif (values := finite_count(distribution)) is None or values > bins:
        assert 1 <= count <= bins
    else:
        assert count == values


@pytest.mark.parametrize(
    ("distribution", "labels"),
    [
        (CategoricalDistribution(["a", None, 3]), ("a", None, 3)),
        (IntDistribution(2, 5), (2, 3, 4, 5)),
        (IntDistribution(-4, 6, step=5), (-4, 1, 6)),
        (FloatDistribution(0, 1, step=0.5), (0.0, 0.5, 1.0)),
        (IntDistribution(0, 9), ((0, 1), (2, 4), (5, 6), (7, 9))),
        (IntDistribution(1, 4, log=True), (1, 2, 3, 4)),
        (IntDistribution(1, 1000, log=True), ((1, 3), (4, 22), (23, 149), (150, 1000))),
        (FloatDistribution(0, 2), ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0))),
    ],
    ids=str,
)
def test_labels_with_four_bins_are_those_by_hand(
    distribution: BaseDistribution, labels: tuple[Any, ...]
) -> None:
    assert categories_of(distribution, 4).labels == labels


def test_a_log_parameter_has_bins_of_equal_width_on_a_log_scale() -> None:
    labels = categories_of(FloatDistribution(1e-4, 1, log=True), 4).labels
    assert [low for low, _ in labels] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert [high for _, high in labels] == pytest.approx([1e-3, 1e-2, 1e-1, 1])


def test_equal_choices_are_one_category() -> None:
    with pytest.warns(UserWarning, match="Choices"):
        distribution = CategoricalDistribution([[1], "b", [1], "c"])  # type: ignore[list-item]
    categories = categories_of(distribution, 10)
    assert categories.labels == ([1], "b", "c")
    assert [categories.index_of(choice) for choice in distribution.choices] == [0, 1, 0, 2]
    points = [categories.point(category, 0.9) for category in range(3)]
    assert [decode(distribution, point) for point in points] == [[1], "b", "c"]


def test_values_of_a_bin_are_drawn_equally_often() -> None:
    categories = categories_of(IntDistribution(0, 19), 4)
    shares = (np.arange(1000) + 0.5) / 1000
    drawn = [decode(IntDistribution(0, 19), categories.point(2, s)) for s in shares.tolist()]
    assert np.bincount(drawn, minlength=20).tolist() == [0] * 10 + [200] * 5 + [0] * 5


@given(strategies.spaces(), st.integers(2, 12), st.integers(0, 2**32))
def test_samples_come_back_from_their_positions(
    space: dict[str, BaseDistribution], bins: int, seed: int
) -> None:
    categories = CategorySpace(Encoding.of(space), bins)
    random = np.random.default_rng(seed)
    samples = random.integers(0, categories.counts, size=(5, len(categories.counts)))
    positions = categories.positions(samples, random.random(samples.shape))
    params = [categories.encoding.decode(position) for position in positions]
    assert [categories.sample_of(p) for p in params] == samples.tolist()


def test_missing_and_invalid_values_are_unknown() -> None:
    space = CategorySpace(
        Encoding({"x": IntDistribution(0, 3), "op": CategoricalDistribution("ab")}), 4
    )
    assert space.sample_of({"x": 2, "op": "b", "other": 1}) == [2, 1]
    assert space.sample_of({"x": 9}) == [UNKNOWN, UNKNOWN]
    assert space.sample_of({"op": "c", "x": 0}) == [0, UNKNOWN]
