"""Ranks of a sweep, against a second implementation and by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from optuna.study import StudyDirection

from relativenas_optuna.samplers.migo.ranking import ranks_of
from relativenas_optuna.samplers.trial_losses import violation
from tests.helpers.samplers.finished_trials import (
    COMPLETE,
    PRUNED,
    complete,
    ended,
    failed,
    pruned,
    seat_score,
)
from tests.helpers.samplers.pareto_reference import dominates

if TYPE_CHECKING:
    from relativenas_optuna.samplers.seats.seat_score import SeatScore

MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
small = st.integers(-2, 2).map(float) | st.sampled_from([math.inf, -math.inf])
excesses = st.dictionaries(st.sampled_from("uv"), st.sampled_from([-1.0, 0.5, 2.0]))


@st.composite
def sweeps(draw: st.DrawFn, objectives: int) -> list[SeatScore]:
    """Draw the scored seats of a sweep, of any kind."""
    kinds = st.sampled_from([COMPLETE, COMPLETE, COMPLETE, PRUNED, None])
    return [_seat(draw, draw(kinds), objectives) for _ in range(draw(st.integers(1, 9)))]


def _seat(draw: st.DrawFn, kind: object, objectives: int) -> SeatScore:
    if kind is None:
        return failed()
    if kind == COMPLETE:
        values = draw(st.lists(small, min_size=objectives, max_size=objectives))
        return complete(*values, **draw(excesses))
    reports = draw(st.dictionaries(st.integers(0, 3), small | st.just(math.nan)))
    return seat_score(ended(PRUNED, reports=reports, constraints=draw(excesses)))


def test_ranks_are_those_by_hand() -> None:
    sweep = [
        failed(),
        pruned(s0=-9.0, s1=5.0),
        complete(3.0),
        complete(-8.0, u=0.5),
        pruned(s0=-9.0),
        complete(-2.0),
        complete(3.0, u=-1.0),
        pruned(s1=4.0),
        pruned(),
        complete(-8.0, u=2.0),
        failed(),
    ]
    assert ranks_of(sweep, [MINIMIZE]) == [8, 5, 1, 2, 6, 0, 1, 4, 7, 3, 8]
    assert ranks_of(sweep, [MAXIMIZE]) == [8, 4, 0, 2, 6, 1, 0, 5, 7, 3, 8]


def test_of_trials_that_equally_many_dominate_the_less_crowded_one_is_better() -> None:
    front = [complete(0.0, 10.0), complete(4.0, 6.0), complete(5.0, 5.0), complete(10.0, 0.0)]
    worse = complete(11.0, 11.0)
    ends, inner, crowded, last = 0, 1, 2, 3
    # The distances are (5 + 5) / 10 for (4, 6) and (6 + 6) / 10 for (5, 5), infinite at the ends.
    assert ranks_of([*front, worse], [MINIMIZE] * 2) == [ends, crowded, inner, ends, last]
    assert ranks_of([worse, *front], [MAXIMIZE] * 2)[0] == 0


@given(sweeps(1), st.sampled_from([MINIMIZE, MAXIMIZE]))
def test_with_one_objective_complete_trials_come_in_the_order_of_their_values(
    sweep: list[SeatScore], direction: StudyDirection
) -> None:
    ranks = ranks_of(sweep, [direction])
    sign = -1 if direction == MAXIMIZE else 1
    found = [
        (rank, (violation(score.counted), sign * score.counted.value))
        for rank, score in zip(ranks, sweep, strict=True)
        if score.counted is not None
        and score.counted.state == COMPLETE
        and score.counted.value is not None
    ]
    for rank, (broken, loss) in found:
        for other, (more, higher) in found:
            better = (broken, 0 if broken else loss) < (more, 0 if more else higher)
            assert (rank < other) == better


@given(st.integers(1, 3).flatmap(lambda n: st.tuples(sweeps(n), st.just([MINIMIZE] * n))))
def test_ranks_keep_kinds_apart_and_respect_dominance(
    drawn: tuple[list[SeatScore], list[StudyDirection]],
) -> None:
    sweep, directions = drawn
    ranks = ranks_of(sweep, directions)
    assert set(ranks) == set(range(max(ranks) + 1))
    by_kind: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for rank, score in zip(ranks, sweep, strict=True):
        trial = score.counted
        by_kind[2 if trial is None else int(trial.state == PRUNED)].append(rank)
    for better, worse in ((0, 1), (1, 2), (0, 2)):
        assert max(by_kind[better], default=-1) < min(by_kind[worse], default=10**9)
    assert len(set(by_kind[2])) <= 1
    points = [
        (rank, score.counted.values)
        for rank, score in zip(ranks, sweep, strict=True)
        if score.counted is not None
        and score.counted.state == COMPLETE
        and not violation(score.counted)
    ]
    for rank, point in points:
        for other, further in points:
            if dominates(point, further):
                assert rank < other
            elif point == further:
                assert rank == other


@given(sweeps(2), st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_the_order_of_seats(sweep: list[SeatScore], random: object) -> None:
    order = list(range(len(sweep)))
    random.shuffle(order)  # type: ignore[attr-defined]
    ranks = ranks_of(sweep, [MINIMIZE, MAXIMIZE])
    shuffled = ranks_of([sweep[i] for i in order], [MINIMIZE, MAXIMIZE])
    assert shuffled == [ranks[i] for i in order]
