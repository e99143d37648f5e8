"""Tests of the trials that the objective accepts, and of their order."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.tiny_search import SPACE, Scoring, objective, same_bits, study, tiny_images


def scored(scoring: Scoring, found: optuna.Study, trial: optuna.Trial) -> float:
    loss = scoring(trial)
    assert isinstance(loss, float)
    found.tell(trial, loss)
    return loss


@pytest.mark.parametrize("options", [{"space": "paper"}, {"settings": None}], ids=str)
def test_an_argument_of_another_type_is_refused_by_name(options: dict[str, Any]) -> None:
    (name,) = options
    good: dict[str, Any] = {"space": SPACE, "data": tiny_images(), "settings": "digits"}
    with pytest.raises(TypeError, match=f"^{name} must be a "):
        SupernetObjective(**good | options, device="cpu")


def test_a_trial_that_does_not_run_is_refused_with_the_way_out() -> None:
    scoring, found = objective(), study()
    scored(scoring, found, found.ask())
    fixed: Any = optuna.trial.FixedTrial(found.best_params)
    ended: Any = found.best_trial
    for trial in (fixed, ended):
        with pytest.raises(TypeError, match=r"running trial .* call objective\.evaluate"):
            scoring(trial)
    genotype = scoring.space.genotype(found.best_trial.params)
    assert 0 <= scoring.evaluate(genotype).accuracy <= 1


def test_a_study_that_goes_on_without_its_weights_says_so(tmp_path: Path) -> None:
    found = study()
    for number in range(2):
        scored(objective(checkpoint=tmp_path), found, found.ask())
        assert len(found.get_trials(states=[TrialState.COMPLETE])) == number + 1
    anew = objective()
    with pytest.warns(UserWarning, match="the weights begin anew"):
        scored(anew, found, found.ask())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scored(anew, found, found.ask())


def test_a_second_study_does_not_get_the_scores_of_the_first() -> None:
    scoring = objective()
    losses = []
    for number in range(2):
        found = study(study_name=f"study {number}")
        trial = found.ask()
        assert seat_of(trial) == Seat(0, 0)
        losses.append(scored(scoring, found, trial))
    assert losses[0] != losses[1]
    assert scoring.weights.version == 1  # what the first one learned alone
    assert scoring.waiting == [Seat(0, 0)]


def test_a_tie_does_not_depend_on_who_is_scored_first() -> None:
    one_class = dataclasses.replace(tiny_images(), labels=torch.zeros_like(tiny_images().labels))
    level: dict[str, Any] = {"learning_rate": 10.0, "clip": 1e6, "drop_path": 0.0}
    weights = []
    for order in ((0, 1), (1, 0)):
        scoring = objective(
            data=one_class.subset(range(30)), validation=one_class.subset(range(30, 60)), **level
        )
        found = study()
        trials = [found.ask(), found.ask()]
        assert [scored(scoring, found, trials[i]) for i in order] == [0.0, 0.0]
        assert scoring.weights.version == 1
        weights.append(scoring.weights.snapshot())
    assert same_bits(*weights)


def test_a_waiting_seat_that_is_scored_again_waits_with_what_was_scored_last() -> None:
    params = SPACE.params(SPACE.random(np.random.default_rng(1)))
    weights = []
    for first_try in (True, False):
        scoring, found = objective(), study()
        if first_try:
            trial = found.ask()
            scoring(trial)
            found.tell(trial, state=TrialState.FAIL)
        found.enqueue_trial(params)
        again = found.ask()
        assert seat_of(again) == Seat(0, 0)
        scored(scoring, found, again)
        assert scoring.weights.version == 0
        partner = found.ask()
        assert seat_of(partner) == Seat(0, 1)
        scored(scoring, found, partner)
        assert scoring.weights.version == 1
        weights.append(scoring.weights.snapshot())
    assert same_bits(*weights)
