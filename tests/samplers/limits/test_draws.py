"""Draws within limits, against the enumeration of small spaces."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare, combine_pvalues

from relativenas_optuna.samplers.limits.choices import LimitedChoices
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit
from tests.helpers.samplers.limited_spaces import LimitedSpace, limited_spaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def arrays(rows: Sequence[Sequence[float]]) -> list[NDArray[np.float64]]:
    return [np.array(row) for row in rows]


def weighted(space: LimitedSpace, rows: Sequence[Sequence[float]]) -> dict[tuple[int, ...], float]:
    """Return the weight of each architecture within the limits that has one above 0."""
    found = {
        chosen: float(np.prod([row[i] for row, i in zip(rows, chosen, strict=True)]))
        for chosen in space.architectures
        if space.keeps(chosen)
    }
    return {chosen: weight for chosen, weight in found.items() if weight > 0}


@st.composite
def with_rows(draw: st.DrawFn, least: float, most: float) -> tuple[LimitedSpace, list[list[float]]]:
    space = draw(limited_spaces())
    share = st.floats(least, most) | st.just(0.0)
    return space, [[draw(share) for _ in values] for values in space.values.values()]


@given(with_rows(0.1, 1.0), st.data())
def test_a_draw_has_a_weight_keeps_the_limits_and_the_smallest_use_count(
    spaced: tuple[LimitedSpace, list[list[float]]], data: st.DataObject
) -> None:
    space, rows = spaced
    possible = weighted(space, rows)
    assume(possible)
    uses = [[data.draw(st.integers(0, 2)) for _ in row] for row in rows]
    draws = space.choices.draws(arrays(rows), [np.array(row) for row in uses])
    random = np.random.default_rng(0)
    counted = {variable for group in space.choices.costs.groups for variable in group.variables}
    for _ in range(5):
        drawn = draws.draw(random)
        assert drawn.keys() == counted
        fits = [c for c in possible if all(c[v] == category for v, category in drawn.items())]
        assert fits
        if len(space.limits.by_name) == 1:
            count = sum(uses[v][category] for v, category in drawn.items())
            assert count == min(sum(uses[v][c[v]] for v in counted) for c in possible)


@given(with_rows(0.1, 1.0))
def test_weights_that_no_architecture_within_the_limits_has_are_refused(
    spaced: tuple[LimitedSpace, list[list[float]]],
) -> None:
    space, rows = spaced
    zero = [np.zeros(len(row), dtype=int) for row in rows]
    counted = {variable for group in space.choices.costs.groups for variable in group.variables}
    known = [row if v in counted else [1.0] * len(row) for v, row in enumerate(rows)]
    assume(not weighted(space, known))
    with pytest.raises(ValueError, match="no architecture within the limit"):
        space.choices.draws(arrays(known), zero).draw(np.random.default_rng(0))


SMALL = LimitedSpace(
    {"a": [1, 2, 3], "b": [1, 2, 3, 4], "c": [1, 2], "d": [1, 2, 3]},
    Limits(
        {
            "size": Limit(
                AdditiveCost(
                    2.0,
                    (
                        CostTerm(
                            ("a", "b"),
                            {(a, b): 2.0 * a * b for a in (1, 2, 3) for b in (1, 2, 3, 4)},
                        ),
                        CostTerm(("c",), {(1,): 0.0, (2,): 6.0}),
                        CostTerm(("d",), {(1,): 0.0, (2,): 4.0, (3,): 10.0}),
                    ),
                ),
                20.0,
            )
        }
    ),
)
ROWS = [[0.2, 0.5, 0.3], [0.4, 0.3, 0.2, 0.1], [0.3, 0.7], [0.1, 0.3, 0.6]]


def p_value(space: LimitedSpace, rows: Sequence[Sequence[float]], seed: int) -> float:
    possible = weighted(space, rows)
    draws = space.choices.draws(arrays(rows), [np.zeros(len(row), dtype=int) for row in rows])
    random = np.random.default_rng(seed)
    number = 1_000
    seen = Counter(
        tuple(drawn[v] for v in range(len(rows)))
        for drawn in (draws.draw(random) for _ in range(number))
    )
    assert seen.keys() <= possible.keys()
    total = sum(possible.values())
    expected = [number * weight / total for weight in possible.values()]
    return float(chisquare([seen[c] for c in possible], expected).pvalue)


def test_draws_have_the_frequencies_of_the_weights_given_the_limit() -> None:
    values = [p_value(SMALL, ROWS, seed) for seed in range(20)]
    assert combine_pvalues(values).pvalue > 0.01


def test_two_limits_are_kept_with_the_frequencies_of_the_weights() -> None:
    heavy = CostTerm(("b", "d"), {(b, d): 1.0 * b + 3 * d for b in (1, 2, 3, 4) for d in (1, 2, 3)})
    both = dict(SMALL.limits.by_name) | {"time": Limit(AdditiveCost(0.0, (heavy,)), 9.0)}
    space = LimitedSpace(SMALL.values, Limits(both))
    assert len(weighted(space, ROWS)) < len(weighted(SMALL, ROWS))
    values = [p_value(space, ROWS, seed) for seed in range(20)]
    assert combine_pvalues(values).pvalue > 0.01


@given(limited_spaces(most_limits=1, whole=False), st.integers(0, 100))
def test_costs_with_fractions_never_pass_the_limit(space: LimitedSpace, seed: int) -> None:
    choices, rows = space.choices, [np.ones(len(v)) for v in space.values.values()]
    assume((choices.costs.least <= choices.costs.at_most).all())
    draws = choices.draws(rows, [np.zeros(len(row), dtype=int) for row in rows])
    random = np.random.default_rng(seed)
    for _ in range(5):
        drawn = draws.draw(random)
        assert space.keeps([drawn.get(v, 0) for v in range(len(rows))])


def test_a_variable_without_a_cost_is_left_to_the_caller() -> None:
    cost = AdditiveCost(0.0, (CostTerm(("a",), {(1,): 1.0, (2,): 5.0}),))
    choices = LimitedChoices(
        Limits({"c": Limit(cost, 2)}), {"x": None, "a": [1, 2], "b": [7, 8]}, {}
    )
    weights = [np.ones(0), np.ones(2), np.ones(2)]
    draws = choices.draws(weights, [np.zeros(len(w), dtype=int) for w in weights])
    assert draws.draw(np.random.default_rng(0)) == {1: 0}
