"""Candidates without a seat: the place by which they train, and the scores that nobody asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from relativenas_optuna.objective.trials import place_of
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.tiny_search import (
    SEED,
    SETTINGS,
    SPACE,
    database,
    kept_in,
    objective,
    same_bits,
    sampler,
    study,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.tiny_search import Scoring

TRIALS = SETTINGS.population + 2


def tpe() -> TPESampler:
    return TPESampler(seed=SEED)


def scoring_in(folder: Path | None) -> Scoring:
    return objective(checkpoint=None if folder is None else kept_in(folder))


def test_places_without_seats_fill_generations_by_number() -> None:
    found = optuna.create_study()
    trials = [found.ask() for _ in range(6)]
    places = [place_of(trial, None, 4) for trial in trials]
    assert places == [*(Seat(0, number) for number in range(4)), Seat(1, 0), Seat(1, 1)]
    assert place_of(trials[5], Seat(7, 3), 4) == Seat(7, 3)


def test_a_search_by_tpe_is_continued_with_its_weights(tmp_path: Path) -> None:
    """The proposals are enqueued: a new TPESampler starts its random numbers anew."""
    whole, undisturbed = study(sampler=tpe()), objective()
    whole.optimize(undisturbed, n_trials=TRIALS)
    url = f"sqlite:///{tmp_path / 's.db'}"
    for trial in whole.trials:
        with database(url) as storage:
            found = study(storage=storage, study_name="s", sampler=tpe(), load_if_exists=True)
            found.enqueue_trial(trial.params)
            found.optimize(scoring_in(tmp_path / "out"), n_trials=1)
            values = [t.value for t in found.trials]
    assert values == [trial.value for trial in whole.trials]
    ended = scoring_in(tmp_path / "out")
    assert same_bits(ended.weights.snapshot(), undisturbed.weights.snapshot())
    assert ended.weights.version == undisturbed.weights.version == TRIALS


def test_a_lost_trial_of_tpe_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    found, scoring = study(sampler=tpe()), scoring_in(tmp_path)
    found.optimize(scoring, n_trials=2)
    lost = found.ask()
    SPACE.suggest(lost)
    found.tell(lost, state=TrialState.FAIL)
    found.optimize(scoring_in(tmp_path), n_trials=2)
    ended = scoring_in(tmp_path)
    assert ended.weights.version == 4
    assert [t.state for t in found.trials].count(TrialState.COMPLETE) == 4


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "checkpoint"])
def test_a_seat_does_not_get_the_score_of_a_trial_without_one(
    *, kept: bool, tmp_path: Path
) -> None:
    found = study(sampler=tpe())
    scoring = scoring_in(tmp_path if kept else None)
    first = study(sampler=sampler()).ask()
    found.enqueue_trial(SPACE.params(SPACE.suggest(first)))  # the proposal of seat 0
    found.optimize(scoring, n_trials=1)
    found.sampler = sampler()
    found.optimize(scoring, n_trials=1)
    unseated, seated = found.trials
    assert (seat_of(unseated), seat_of(seated)) == (None, Seat(0, 0))
    assert unseated.params == seated.params
    assert seated.user_attrs["seconds_train"] > 0
    assert seated.value != unseated.value  # it began with the weights of the other
