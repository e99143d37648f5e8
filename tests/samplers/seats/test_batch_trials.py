"""Trials of a whole generation, as objectives and other samplers use them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat
from tests.helpers.samplers.relative_nas_reference import decoded
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    ask,
    loss,
    new_sampler,
    population,
    scored,
    search,
    state,
    study_and_sampler,
    suggest,
    tell,
)

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def test_a_partial_fixed_sampler_fixes_single_trials_but_no_batches() -> None:
    study, base = study_and_sampler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = PartialFixedSampler({"op": "b", "x": 0.5}, base)
    single = [ask(study)[0] for _ in range(2)]
    batch = base.ask_generation(study)
    assert all(trial.params["op"] == "b" and trial.params["x"] == 0.5 for trial in single)
    for trial in [*batch, *single]:
        tell(study, trial)
    for number in base.enqueue_generation(study):
        trial = study.ask()  # popped
        assert trial.number == number
        assert suggest(trial, SPACE) == study.trials[number].params
        tell(study, trial)
    # Positions are those that were scored.
    for generation in population(study).generations[:2]:
        for number in range(4):
            member = generation.member(number)
            told = scored(study)[Seat(generation.index, number)][0]
            assert decoded(SPACE, generation.positions[member]) == {
                name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                for name, value in told.items()
            }


def test_a_batch_trial_draws_other_ranges_and_new_parameters() -> None:
    study, sampler = study_and_sampler()
    sampler.enqueue_generation(study)
    study.sampler = RandomSampler(seed=1)

    def objective(trial: optuna.Trial) -> float:
        with pytest.warns(RuntimeWarning, match="Inconsistent parameter values"):
            assert -1 <= trial.suggest_float("x", -1, 5) <= 1  # what the study proposed
        assert trial.suggest_int("more", 7, 9) in (7, 8, 9)
        return OBJECTIVE(trial)

    study.optimize(objective, n_trials=4)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert [trial.distributions["x"] for trial in study.trials] == [SPACE["x"]] * 4
    assert state(study) == state(search(space=SPACE, trials=4))


def test_another_kind_of_parameter_fails_and_frees_the_seat() -> None:
    study, sampler = study_and_sampler()
    trial = sampler.ask_generation(study)[0]
    with pytest.raises(ValueError, match="different distribution kind"):
        trial.suggest_int("x", 0, 9)
    study.tell(trial, state=TrialState.FAIL)
    assert len(sampler.ask_generation(study)) == 1


def test_a_batch_refuses_parameters_of_another_kind_than_in_the_study() -> None:
    study, sampler = study_and_sampler()
    study.add_trial(
        optuna.create_trial(
            value=1.0, params={"x": "a"}, distributions={"x": CategoricalDistribution(["a"])}
        )
    )
    with pytest.raises(ValueError, match="distribution"):
        sampler.ask_generation(study)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]


def test_a_handle_of_a_batch_equals_that_of_optuna(storage: BaseStorage) -> None:
    sampler = new_sampler(SPACE)
    study = optuna.create_study(storage=storage, sampler=sampler)
    try:
        for trial in sampler.ask_generation(study):
            other = optuna.Trial(study, trial._trial_id)
            assert (trial.number, trial.params, trial.distributions) == (
                other.number,
                other.params,
                other.distributions,
            )
            trial.set_user_attr("note", trial.number)
            trial.report(0.5, step=1)
            assert trial.suggest_float("more", 0, FloatDistribution(0, 1).high) <= 1
            trial.set_constraint("c", -1.0)
            study.tell(trial, loss({name: trial.params[name] for name in SPACE}, SPACE))
        for frozen in study.trials:
            assert frozen.user_attrs == {"note": frozen.number}
            assert frozen.intermediate_values == {1: 0.5}
            assert frozen.constraints == {"c": -1.0}
            assert list(frozen.params) == [*SPACE, "more"]
    finally:
        optuna.delete_study(study_name=study.study_name, storage=storage)
