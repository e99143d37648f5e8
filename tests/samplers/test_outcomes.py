"""What a seat's trials say, and who of a pair is fast."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.claims import INTERRUPTED_KEY
from relativenas_optuna.samplers.outcomes import MAX_FAILURES, Tally, first_is_fast

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
START = datetime(2021, 7, 1)


def ended(
    state: TrialState,
    value: float | None = None,
    *,
    number: int = 0,
    second: int = 0,
    reports: dict[int, float] | None = None,
    interrupted: bool = False,
) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=value,
        datetime_start=START,
        datetime_complete=START + timedelta(seconds=second),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={INTERRUPTED_KEY: True} if interrupted else {},
        intermediate_values=reports or {},
    )


def tally(*trials: FrozenTrial) -> Tally:
    filled = Tally()
    for trial in trials:
        filled.add(trial)
    return filled


def complete(value: float) -> Tally:
    return tally(ended(COMPLETE, value))


def pruned(**reports: float) -> Tally:
    return tally(ended(PRUNED, reports={int(step[1:]): loss for step, loss in reports.items()}))


def failed() -> Tally:
    return tally(*(ended(FAIL, number=n) for n in range(MAX_FAILURES)))


values = st.floats(allow_nan=False) | st.sampled_from([0.0, math.inf, -math.inf])


@st.composite
def seats(draw: st.DrawFn) -> Tally:
    kind = draw(st.sampled_from([COMPLETE, PRUNED, FAIL]))
    if kind == COMPLETE:
        return complete(draw(values))
    if kind == FAIL:
        return failed()
    reports = draw(st.dictionaries(st.integers(0, 3), values | st.just(math.nan)))
    return tally(ended(PRUNED, reports=reports))


@given(seats(), seats(), st.booleans())
def test_of_two_seats_one_is_fast_and_in_a_tie_the_first(
    one: Tally, other: Tally, maximize: bool
) -> None:
    forward = first_is_fast(one, other, maximize=maximize)
    backward = first_is_fast(other, one, maximize=maximize)
    assert forward or backward
    assert first_is_fast(one, one, maximize=maximize)


@pytest.mark.parametrize("maximize", [False, True])
def test_complete_beats_pruned_beats_three_times_failed(maximize: bool) -> None:
    worst = complete(-math.inf if maximize else math.inf)
    best_pruned = pruned(s0=math.inf if maximize else -math.inf)
    for faster, slower in ((worst, best_pruned), (best_pruned, failed()), (worst, failed())):
        assert first_is_fast(faster, slower, maximize=maximize)
        assert not first_is_fast(slower, faster, maximize=maximize)


@given(values, values)
def test_two_complete_ones_compare_by_value_in_the_studys_direction(a: float, b: float) -> None:
    assert first_is_fast(complete(a), complete(b), maximize=False) == (a <= b)
    assert first_is_fast(complete(a), complete(b), maximize=True) == (a >= b)


def test_two_pruned_ones_compare_at_the_last_step_that_both_reached() -> None:
    far, near = pruned(s0=1.0, s1=5.0, s2=9.0, s7=0.0), pruned(s0=2.0, s2=8.0, s3=-99.0)
    assert not first_is_fast(far, near, maximize=False)
    assert first_is_fast(far, near, maximize=True)


def test_pruned_ones_without_a_common_step_are_a_tie() -> None:
    for one, other in permutations([pruned(), pruned(s1=1.0), pruned(s2=-1.0)], 2):
        assert first_is_fast(one, other, maximize=False)


def test_a_report_that_is_no_number_is_slower_than_any_other() -> None:
    for maximize in (False, True):
        lost, fine = pruned(s0=math.nan), pruned(s0=1e300 * (-1 if maximize else 1))
        assert not first_is_fast(lost, fine, maximize=maximize)
        assert first_is_fast(fine, lost, maximize=maximize)
        assert first_is_fast(lost, lost, maximize=maximize)


def test_a_seat_is_scored_by_one_trial_or_by_three_failures_of_the_objective() -> None:
    assert not Tally().scored
    assert complete(1.0).scored
    assert pruned().scored
    assert not tally(*(ended(FAIL, number=n) for n in range(MAX_FAILURES - 1))).scored
    assert failed().scored


def test_failures_that_are_not_the_objectives_do_not_count() -> None:
    killed = [ended(FAIL, number=n, interrupted=True) for n in range(9)]
    assert not tally(*killed).scored
    assert not tally(*killed, *(ended(FAIL, number=10 + n) for n in range(2))).scored


def test_of_doubles_that_counts_which_finished_first_and_then_the_lower_number() -> None:
    late = ended(COMPLETE, 1.0, number=3, second=9)
    early = ended(PRUNED, number=8, second=2)
    twin = ended(COMPLETE, 5.0, number=9, second=2)
    assert tally(late, twin, early).counted is early


def test_a_failed_seat_shows_what_failed_there_first() -> None:
    trials = [ended(FAIL, number=n, second=second) for n, second in enumerate((5, 3, 3, 4))]
    for order in permutations(trials):
        assert tally(*order).scored_trial is trials[1]


@st.composite
def doubles(draw: st.DrawFn) -> list[FrozenTrial]:
    """Trials of one seat, as many processes could leave them."""
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
def test_the_order_of_reading_does_not_matter(trials: list[FrozenTrial], random: Random) -> None:
    in_order = tally(*trials)
    shuffled = list(trials)
    random.shuffle(shuffled)
    other = tally(*shuffled)
    assert other.scored == in_order.scored
    assert other.counted is in_order.counted
    assert other.scored_trial is in_order.scored_trial


@given(doubles())
def test_adding_says_whether_the_score_is_another_one_now(trials: list[FrozenTrial]) -> None:
    filled = Tally()
    for trial in trials:
        before = filled.scored_trial
        assert filled.add(trial) == (filled.scored_trial is not before)
