"""A worker that scores pairs: the states of its trials, whatever its objective does."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.storages.interruption import was_interrupted
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    both_spaces,
    new_sampler,
    scored,
    search,
    state,
    study_and_sampler,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

    from tests.helpers.samplers.searches import Space

    Objective = Callable[[optuna.Trial], Any]

GENERATIONS, SIZE = 3, 4
SEATS = GENERATIONS * SIZE
BEAT = 1  # second
COMPLETE, FAIL, PRUNED = TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED


def run(study: optuna.Study, objective: Objective = OBJECTIVE, **options: Any) -> list[FrozenTrial]:
    """Score pairs with a sampler that knows nothing; what was heard of."""
    heard: list[FrozenTrial] = []
    study.sampler = sampler = new_sampler(SPACE)
    given: dict[str, Any] = {"generations": GENERATIONS, "on_trial": heard.append} | options
    score_seats(study, sampler, objective, **given)
    return heard


def at_call(number: int, does: Objective, usual: Objective = OBJECTIVE) -> Objective:
    """The usual objective, but at one call."""
    calls = count(1)

    def objective(trial: optuna.Trial) -> Any:
        return does(trial) if next(calls) == number else usual(trial)

    return objective


def failing(error: BaseException) -> Callable[[Any], float]:
    def objective(_: Any) -> float:
        raise error

    return objective


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


def failures(study: optuna.Study) -> dict[Seat | None, bool]:
    """Return the seats of failed trials, each with True if the objective is not to blame."""
    return {seat_of(trial): was_interrupted(trial) for trial in study.get_trials(states=[FAIL])}


def all_seats() -> set[Seat]:
    return {Seat(g, s) for g in range(GENERATIONS) for s in range(SIZE)}


def assert_scored_once(study: optuna.Study) -> None:
    ended = study.get_trials(states=[COMPLETE, PRUNED])
    assert Counter(map(seat_of, ended)) == Counter(all_seats())
    assert not study.get_trials(states=[TrialState.RUNNING, TrialState.WAITING])


@both_spaces
def test_pair_by_pair_is_the_search_of_study_optimize(space: Space | None) -> None:
    study, sampler = study_and_sampler(space)
    heard: list[FrozenTrial] = []
    score_seats(study, sampler, OBJECTIVE, generations=GENERATIONS, on_trial=heard.append)
    other = search(space=space, trials=SEATS)
    assert [(seat_of(t), t.value) for t in heard] == [(seat_of(t), t.value) for t in other.trials]
    assert scored(study) == scored(other)
    assert state(study) == state(other)
    assert run(study) == []  # nothing is left


def test_generations_that_are_scored_are_not_scored_again() -> None:
    study = study_and_sampler()[0]
    for generations in (1, 1, 3, 2):
        run(study, generations=generations)
    assert_scored_once(study)
    assert len(study.trials) == SEATS


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_an_error_of_the_objective_ends_its_trial_and_spares_the_partner(call: int) -> None:
    study, seat = study_and_sampler()[0], Seat(0, call - 1)
    with pytest.raises(RuntimeError, match="diverged"):
        run(study, at_call(call, failing(RuntimeError("diverged"))))
    spared = {seat.partner: True} if seat.number % 2 == 0 else {}
    assert failures(study) == {seat: False} | spared
    assert not study.get_trials(states=[TrialState.RUNNING])
    run(study)
    assert_scored_once(study)
    assert state(study) == state(search(space=SPACE, trials=SEATS))


def test_an_objective_that_always_fails_scores_its_seat_as_slowest() -> None:
    study = study_and_sampler()[0]
    for _ in range(3):
        with pytest.raises(RuntimeError):
            run(study, failing(RuntimeError()))
    # Both seats are taken each time, and only that of the first one is to blame.
    assert Counter(map(seat_of, study.trials)) == {Seat(0, 0): 3, Seat(0, 1): 3}
    run(study)
    assert scored(study).keys() == all_seats() - {Seat(0, 0)}


@pytest.mark.parametrize("losses", [math.nan, [math.nan], np.float32("nan")], ids=repr)
def test_a_nan_loss_fails_its_trial_and_the_seat_is_scored_again(
    losses: Any,
) -> None:
    study = study_and_sampler()[0]
    heard = run(study, at_call(2, lambda _: losses))
    assert (heard[1].state, was_interrupted(heard[1])) == (FAIL, False)
    assert [seat_of(trial) for trial in heard[:3]] == [Seat(0, 0), Seat(0, 1), Seat(0, 1)]
    assert_scored_once(study)
    assert len(study.trials) == SEATS + 1


def test_losses_that_are_never_numbers_come_to_an_end() -> None:
    study = study_and_sampler()[0]
    run(study, lambda _: math.nan, generations=1)
    assert states(study) == [FAIL] * 3 * SIZE


@pytest.mark.parametrize("loss", [0, np.float32(0), [0.0], (0,), False, "0"], ids=repr)
def test_whatever_is_a_number_to_optuna_is_a_loss(loss: Any) -> None:
    study = study_and_sampler()[0]
    run(study, lambda _: loss, generations=1)
    assert [trial.values for trial in study.trials] == [[0.0]] * SIZE


@pytest.mark.parametrize("losses", [None, "low", [1.0, 2.0], [], {}], ids=repr)
def test_an_invalid_loss_is_one_line_and_leaves_no_trial_running(losses: Any) -> None:
    study = optuna.create_study(study_name="s")
    with pytest.raises(
        ValueError, match=r"^objective must return as many numbers as study 's' has directions, 1; "
    ) as caught:
        run(study, lambda _: losses)
    assert str(caught.value).endswith(f"; got {losses!r}")
    assert states(study) == [FAIL, FAIL]
    assert failures(study) == {Seat(0, 0): False, Seat(0, 1): True}


def test_a_pruned_trial_scores_its_seat() -> None:
    def pruned(trial: optuna.Trial) -> float:
        trial.report(OBJECTIVE(trial), 1)
        raise optuna.TrialPruned

    study, other = study_and_sampler()[0], study_and_sampler()[0]
    heard = run(study, at_call(3, pruned))
    other.optimize(at_call(3, pruned), n_trials=SEATS)
    assert (heard[2].state, seat_of(heard[2])) == (PRUNED, Seat(0, 2))
    assert_scored_once(study)
    assert state(study) == state(other)


def test_two_losses_are_told_in_their_order() -> None:
    def both(trial: optuna.Trial) -> tuple[float, float]:
        return OBJECTIVE(trial), -OBJECTIVE(trial)

    study = optuna.create_study(directions=["minimize", "maximize"])
    run(study, both)
    assert_scored_once(study)
    assert all(trial.values == [trial.values[0], -trial.values[0]] for trial in study.trials)
    with pytest.raises(ValueError, match=r"directions, 2; got 0\.5"):
        run(study, lambda _: 0.5, generations=GENERATIONS + 1)
