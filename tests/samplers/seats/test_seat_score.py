"""Scores of seats."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.samplers.seats.seat_score import MAX_FAILURES, SeatScore
from tests.helpers.samplers.finished_trials import (
    COMPLETE,
    FAIL,
    PRUNED,
    complete,
    ended,
    failed,
    pruned,
    seat_score,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def test_one_trial_or_three_failures_score_a_seat() -> None:
    assert not SeatScore().scored
    assert complete(1.0).scored
    assert pruned().scored
    assert not seat_score(*(ended(FAIL, number=n) for n in range(MAX_FAILURES - 1))).scored
    assert failed().scored


def test_interruptions_do_not_count_as_failures() -> None:
    killed = [ended(FAIL, number=n, interrupted=True) for n in range(9)]
    assert not seat_score(*killed).scored
    assert not seat_score(*killed, *(ended(FAIL, number=10 + n) for n in range(2))).scored


def test_the_first_finished_trial_counts_then_the_lower_number() -> None:
    late = ended(COMPLETE, 1.0, number=3, second=9)
    early = ended(PRUNED, number=8, second=2)
    twin = ended(COMPLETE, 5.0, number=9, second=2)
    assert seat_score(late, twin, early).counted is early


def test_a_failed_seat_has_the_parameters_of_the_first_failure() -> None:
    trials = [ended(FAIL, number=n, second=second) for n, second in enumerate((5, 3, 3, 4))]
    for order in permutations(trials):
        assert seat_score(*order).scored_trial is trials[1]


@st.composite
def doubles(draw: st.DrawFn) -> list[FrozenTrial]:
    """Draw the trials of one seat, as several processes could leave them."""
    states = draw(st.lists(st.sampled_from([COMPLETE, PRUNED, FAIL]), min_size=1, max_size=6))
    return [
        ended(
            state,
            float(number) if state == COMPLETE else None,
            number=number,
            second=draw(st.integers(0, 2)),
            interrupted=draw(st.booleans()),
        )
        for number, state in enumerate(states)
    ]


@given(doubles(), st.randoms())
def test_the_order_of_trials_does_not_matter(trials: list[FrozenTrial], random: Random) -> None:
    in_order = seat_score(*trials)
    shuffled = list(trials)
    random.shuffle(shuffled)
    other = seat_score(*shuffled)
    assert other.scored == in_order.scored
    assert other.counted is in_order.counted
    assert other.scored_trial is in_order.scored_trial


@given(doubles())
def test_add_returns_true_if_the_score_changes(trials: list[FrozenTrial]) -> None:
    filled = SeatScore()
    for trial in trials:
        before = filled.scored_trial
        assert filled.add(trial) == (filled.scored_trial is not before)
