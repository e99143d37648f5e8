"""Dominance, against a second implementation of the definitions."""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.study import StudyDirection

from relativenas_optuna.samplers.relative_nas.dominance import compare, less_crowded
from relativenas_optuna.samplers.trial_losses import best_first
from tests.helpers.samplers.finished_trials import (
    COMPLETE,
    PRUNED,
    complete,
    ended,
    failed,
    pruned,
    seat_score,
)
from tests.helpers.samplers.pareto_reference import crowding, dominates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.seat_score import SeatScore

MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
directions = st.sampled_from([MINIMIZE, MAXIMIZE])

numbers = st.floats(allow_nan=False) | st.sampled_from([0.0, math.inf, -math.inf])
# Few values make equal objectives and dominance likely.
small = st.integers(-2, 2).map(float) | st.sampled_from([math.inf, -math.inf])
excesses = st.dictionaries(st.sampled_from("uvw"), st.sampled_from([-1.0, 0.0, 0.5, 2.0]))


@st.composite
def seats(draw: st.DrawFn, objectives: int = 1) -> SeatScore:
    """Draw a scored seat of any kind."""
    kind = draw(st.sampled_from([COMPLETE, COMPLETE, PRUNED, None]))
    if kind is None:
        return failed()
    constraints = draw(excesses)
    if kind == COMPLETE:
        values = draw(st.lists(small, min_size=objectives, max_size=objectives))
        return complete(*values, **constraints)
    reports = draw(st.dictionaries(st.integers(0, 3), small | st.just(math.nan)))
    return seat_score(ended(PRUNED, reports=reports, constraints=constraints))


def negated(seat: SeatScore, which: Sequence[bool]) -> SeatScore:
    """Return a seat score with some objectives negated; reports belong to the first objective."""
    trial = seat.counted
    if trial is None:
        return seat
    sign = [-1.0 if chosen else 1.0 for chosen in which]
    values = trial.values and [s * v for s, v in zip(sign, trial.values, strict=True)]
    reports = {step: sign[0] * value for step, value in trial.intermediate_values.items()}
    again = ended(trial.state, values=values, reports=reports, constraints=trial.constraints)
    return seat_score(again)


def constrained_dominates(a: FrozenTrial, b: FrozenTrial, maximize: Sequence[bool]) -> bool:
    """Compare complete trials by definition 1 of Deb et al. 2002."""
    excess = [sum(max(0.0, c) for c in trial.constraints.values()) for trial in (a, b)]
    if excess[0] == 0 and excess[1] > 0:
        return True
    if excess[0] > 0 and excess[1] > 0:
        return excess[0] < excess[1]
    if excess[0] > 0:
        return False
    return dominates(
        *([-v if m else v for v, m in zip(t.values, maximize, strict=True)] for t in (a, b))
    )


@given(st.data(), st.lists(directions, min_size=1, max_size=3))
def test_complete_trials_compare_by_constrained_domination(
    data: st.DataObject, studys: list[StudyDirection]
) -> None:
    point = st.lists(small | numbers, min_size=len(studys), max_size=len(studys))
    a, b = (complete(*data.draw(point), **data.draw(excesses)) for _ in range(2))
    one, other, maximize = a.counted, b.counted, [d == MAXIMIZE for d in studys]
    assert one is not None and other is not None  # noqa: PT018
    expected = constrained_dominates(other, one, maximize) - constrained_dominates(
        one, other, maximize
    )
    assert compare(a, b, studys) == expected


@given(seats(2), seats(2), st.tuples(directions, directions))
def test_comparison_is_antisymmetric(
    one: SeatScore, other: SeatScore, studys: tuple[StudyDirection, ...]
) -> None:
    assert compare(one, other, studys) == -compare(other, one, studys)
    assert compare(one, one, studys) == 0


@given(seats(2), seats(2), seats(2), st.tuples(directions, directions))
def test_comparison_is_transitive(
    a: SeatScore, b: SeatScore, c: SeatScore, studys: tuple[StudyDirection, ...]
) -> None:
    # Three pruned trials may have no common step, though each two of them do.
    states = {seat.counted.state for seat in (a, b, c) if seat.counted is not None}
    if PRUNED not in states and compare(a, b, studys) == compare(b, c, studys) == -1:
        assert compare(a, c, studys) == -1


@given(seats(3), seats(3), st.permutations(range(3)), st.lists(directions, min_size=3, max_size=3))
def test_the_order_of_objectives_does_not_matter(
    one: SeatScore, other: SeatScore, order: list[int], studys: list[StudyDirection]
) -> None:
    def shuffled(seat: SeatScore) -> SeatScore:
        if seat.counted is None or seat.counted.values is None:
            return seat
        values = [seat.counted.values[i] for i in order]
        return complete(*values, **seat.counted.constraints)

    if PRUNED in {seat.counted and seat.counted.state for seat in (one, other)}:
        order.sort()  # reports belong to the first objective
    assert compare(one, other, studys) == compare(
        shuffled(one), shuffled(other), [studys[i] for i in order]
    )


@given(seats(2), seats(2), st.tuples(st.booleans(), st.booleans()))
def test_maximizing_is_minimizing_the_negative(
    one: SeatScore, other: SeatScore, which: tuple[bool, bool]
) -> None:
    studys = [MAXIMIZE if chosen else MINIMIZE for chosen in which]
    assert compare(one, other, studys) == compare(
        negated(one, which), negated(other, which), [MINIMIZE, MINIMIZE]
    )


@pytest.mark.parametrize("direction", [MINIMIZE, MAXIMIZE])
def test_complete_beats_pruned_and_pruned_beats_failed(direction: StudyDirection) -> None:
    sign = -1 if direction == MAXIMIZE else 1
    ranking = [
        complete(-math.inf * sign),
        complete(math.inf * sign),
        complete(-math.inf * sign, c=0.1),
        complete(-math.inf * sign, c=0.1, d=0.1),
        pruned(s0=-math.inf * sign),
        pruned(s0=math.inf * sign),
        failed(),
    ]
    for place, faster in enumerate(ranking):
        for slower in ranking[place + 1 :]:
            assert compare(faster, slower, [direction]) == -1


def test_pruned_trials_compare_at_their_last_common_step() -> None:
    far, near = pruned(s0=1.0, s1=5.0, s2=9.0, s7=0.0), pruned(s0=2.0, s2=8.0, s3=-99.0)
    assert compare(far, near, [MINIMIZE]) == 1
    assert compare(far, near, [MAXIMIZE]) == -1


def test_pruned_trials_without_a_common_step_tie() -> None:
    for one, other in permutations([pruned(), pruned(s1=1.0), pruned(s2=-1.0)], 2):
        assert compare(one, other, [MINIMIZE]) == 0


@pytest.mark.parametrize("direction", [MINIMIZE, MAXIMIZE])
def test_a_nan_report_is_worse_than_any_number(direction: StudyDirection) -> None:
    lost, fine = pruned(s0=math.nan), pruned(s0=-1e300 if direction == MAXIMIZE else 1e300)
    assert compare(lost, fine, [direction]) == 1
    assert compare(fine, lost, [direction]) == -1
    assert compare(lost, lost, [direction]) == 0


@given(st.data(), st.integers(1, 3))
def test_crowding_compares_dominators_then_distances(data: st.DataObject, objectives: int) -> None:
    coordinate = small | st.floats(-2, 2)
    points = st.lists(coordinate, min_size=objectives, max_size=objectives)
    one, other = data.draw(st.tuples(points, points))
    others = data.draw(st.lists(points, max_size=6))
    ranks = [
        (sum(dominates(o, x) for o in others), -crowding(x, others) if others else 0.0)
        for x in (one, other)
    ]
    expected = (ranks[0] > ranks[1]) - (ranks[0] < ranks[1])
    reference = np.array(others).reshape(-1, objectives)
    assert less_crowded(np.array(one), np.array(other), reference) == expected
    assert less_crowded(np.array(other), np.array(one), reference) == -expected
    assert less_crowded(np.array(one), np.array(other), reference[::-1]) == expected
    if objectives < 3:  # a sum of three floats depends on their order
        flipped = less_crowded(np.array(one)[::-1], np.array(other)[::-1], reference[:, ::-1])
        assert flipped == expected


def test_crowding_matches_a_computation_by_hand() -> None:
    front = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    tight, wide, end = np.array([0.5, 3.5]), np.array([2.0, 2.0]), np.array([-1.0, 5.0])
    # The neighbours of `tight` are 1/4 of the range apart in both objectives, of `wide` 1/2.
    assert less_crowded(wide, tight, front) == -1
    assert less_crowded(end, wide, front) == -1
    assert less_crowded(np.array([3.5, 3.5]), tight, front) == 1  # two dominate it
    assert less_crowded(wide, wide, front) == 0
    assert less_crowded(wide, tight, front[:0]) == 0


@given(
    st.lists(st.tuples(st.tuples(small, small), excesses), max_size=8),
    st.tuples(directions, directions),
)
def test_best_first_sorts_by_violation_domination_and_number(
    points: list[tuple[tuple[float, float], dict[str, float]]], studys: tuple[StudyDirection, ...]
) -> None:
    trials = [
        ended(COMPLETE, values=values, constraints=constraints, number=number)
        for number, (values, constraints) in enumerate(points)
    ]

    def key(trial: FrozenTrial) -> tuple[float, int, int]:
        loss = [
            [-v if d == MAXIMIZE else v for v, d in zip(t.values, studys, strict=True)]
            for t in [trial, *trials]
        ]
        excess = sum(max(0.0, c) for c in trial.constraints.values())
        return excess, sum(dominates(o, loss[0]) for o in loss[1:]), trial.number

    assert best_first(trials, studys) == sorted(trials, key=key)


@given(st.lists(numbers, max_size=8), directions)
def test_best_first_sorts_one_objective_by_value(
    values: list[float], direction: StudyDirection
) -> None:
    trials = [ended(COMPLETE, value, number=number) for number, value in enumerate(values)]
    order = sorted(values, reverse=direction == MAXIMIZE)
    assert [trial.value for trial in best_first(trials, [direction])] == order
