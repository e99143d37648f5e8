"""Seats, doubles and the learned search space, in studies and in replays of their trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    ask,
    both_spaces,
    empty_study,
    population,
    scored,
    search,
    seated,
    state,
    step,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def seats_without(pairs: list[list[list[int]]], held: Seat) -> Iterator[Seat]:
    """Return the seats, in order, that can be scored while one of generation 0 never is."""
    missing = {pairs[0][held.pair][held.number % 2]}
    for index, generation in enumerate(pairs):
        for number, member in enumerate(m for pair in generation for m in pair):
            if member not in missing:
                yield Seat(index, number)
        # A member is unknown, too, if its partner is unknown.
        missing = {member for pair in generation if missing & {*pair} for member in pair}


@pytest.mark.parametrize("number", range(6))
def test_scored_pairs_move_on_to_the_synchronous_populations(
    number: int,
) -> None:
    undisturbed = search(space=SPACE, trials=60, population_size=6)
    pairs = [generation.pairs.tolist() for generation in population(undisturbed, 6).generations]
    study = empty_study(SPACE, size=6)
    early = [ask(study) for _ in range(number + 1)]
    held, seat = early.pop()
    for trial, _ in early:
        tell(study, trial)
    possible = list(seats_without(pairs, seat))
    assert len(possible) > 5
    assert [s for _, s in early] + [step(study) for _ in possible[number:]] == possible
    # Nothing else is ready: the seat is given out again, with the same parameters.
    second, again = ask(study)
    assert again == seat
    assert second.params == held.params
    tell(study, second)
    while len(scored(study)) < 60:
        step(study)
    tell(study, held)  # too late
    assert scored(study) == scored(undisturbed)
    assert state(study)[:10] == state(undisturbed)[:10]
    assert len(study.trials) == 61


@both_spaces
def test_the_longest_running_seat_is_given_out_again_when_none_is_free(
    space: Space | None,
) -> None:
    study = empty_study(space, size=2)
    first, second = ask(study), ask(study)
    assert [first[1], second[1]] == [Seat(0, 0), Seat(0, 1)]
    again = [ask(study) for _ in range(4)]
    assert [seat.number for _, seat in again] == [0, 1, 0, 1]
    assert again[0][0].params == first[0].params
    tell(study, again[2][0])
    assert ask(study)[1] == Seat(0, 1)  # seat 0 is scored
    tell(study, second[0])
    assert ask(study)[1] == Seat(1, 0)


def test_a_learned_space_waits_for_the_whole_first_generation() -> None:
    study = empty_study(None)
    (held, seat), *_ = ask(study), step(study), step(study), step(study)
    assert [ask(study)[1] for _ in range(2)] == [seat, seat]
    tell(study, held)
    assert ask(study)[1] == Seat(1, 0)


@both_spaces
def test_an_abandoned_trial_delays_only_its_seat(space: Space | None) -> None:
    study = empty_study(space)
    abandoned, _ = ask(study)
    while len(scored(study)) < 16:
        step(study)
    assert abandoned.params == scored(study)[Seat(0, 0)][0]
    undisturbed = search(space=space, trials=16)
    assert {s: scored(study)[s] for s in scored(undisturbed) if s in scored(study)} == {
        s: v for s, v in scored(undisturbed).items() if s in scored(study)
    }


def test_asking_without_reporting_starts_a_whole_generation() -> None:
    study = empty_study(SPACE)
    trials = [ask(study) for _ in range(4)]
    assert [seat for _, seat in trials] == [Seat(0, number) for number in range(4)]
    for trial, _ in reversed(trials):
        tell(study, trial)
    study.optimize(OBJECTIVE, n_trials=4)
    assert state(study) == state(search(space=SPACE, trials=8))


def test_more_arrivals_than_seats_share_them() -> None:
    study = empty_study(SPACE, size=2)
    for _ in range(3):  # trials of other workers that have not claimed a seat yet
        study._storage.create_new_trial(study._study_id)
    assert ask(study)[1] == Seat(0, 1)


def failing(numbers: set[int]) -> Any:
    def objective(trial: optuna.Trial) -> float:
        if trial.number in numbers:
            raise RuntimeError
        return OBJECTIVE(trial)

    return objective


@both_spaces
def test_a_seat_that_failed_three_times_is_the_slow_learner(space: Space | None) -> None:
    study = search(space=space, trials=15, objective=failing({0, 1, 2, 5, 6}))
    seats = [(s.generation, s.number) for s, _ in seated(study) if s is not None]
    assert seats[:9] == [(0, 0)] * 3 + [(0, 1), (0, 2)] + [(0, 3)] * 3 + [(1, 0)]
    generation = population(study).generations[0]
    assert not generation.first_fast[0]
    assert not population(study).is_scored(Seat(3, 0))


def test_pruned_trials_score_their_seats() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        trial.report(value, step=0)
        if trial.number % 2 == 0 or trial.number in (1, 5):
            raise optuna.TrialPruned
        return value

    study = search(space=SPACE, trials=12, objective=objective)
    assert [seat_of(t) for t in study.trials] == [Seat(k // 4, k % 4) for k in range(12)]
    for generation in population(study).generations[:3]:
        for pair in range(2):
            first, second = (study.trials[4 * generation.index + 2 * pair + i] for i in (0, 1))
            if second.state == TrialState.COMPLETE:
                assert not generation.first_fast[pair]
            else:  # the value of a pruned trial is its last report
                assert first.value is not None
                assert second.value is not None
                assert generation.first_fast[pair] == (first.value <= second.value)
