"""Which trial to trust where scores are noisy."""

from __future__ import annotations

from typing import Literal

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from relativenas_optuna import trusted_trial

Direction = Literal["minimize", "maximize"]


def noisy_study(seed: int, direction: Direction = "minimize") -> optuna.Study:
    """Scores of x ** 2, with noise of half its range."""
    random = np.random.default_rng(seed)
    study = optuna.create_study(direction=direction)
    sign = 1 if direction == "minimize" else -1
    for x in random.uniform(-1, 1, 80).tolist():
        value = sign * (x**2 + 0.5 * random.standard_normal())
        space = {"x": FloatDistribution(-1, 1)}
        study.add_trial(create_trial(params={"x": x}, distributions=dict(space), value=value))
    return study


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_trusted_trial_is_truly_better_than_the_luckiest(direction: Direction) -> None:
    studies = [noisy_study(seed, direction) for seed in range(12)]
    trusted = np.mean([trusted_trial(study).params["x"] ** 2 for study in studies])
    luckiest = np.mean([study.best_trial.params["x"] ** 2 for study in studies])
    assert trusted < 0.5 * luckiest


def test_scores_of_one_architecture_count_together() -> None:
    study = optuna.create_study()
    space = {"op": CategoricalDistribution(list("abc"))}
    told = {"a": [-1.0, 5.0, 4.0, 6.0], "b": [0.5, 0.4, 0.6, 0.5], "c": [4.0, 4.5, 4.2, 4.4]}
    for op, values in told.items():
        for value in values:
            study.add_trial(create_trial(params={"op": op}, distributions=dict(space), value=value))
    assert study.best_trial.params == {"op": "a"}
    assert trusted_trial(study).params == {"op": "b"}
    assert trusted_trial(study).number == 4  # the first of them


def test_without_noise_it_is_the_best_trial() -> None:
    study = optuna.create_study()
    for x in np.linspace(-1, 1, 41).tolist():
        space = {"x": FloatDistribution(-1, 1)}
        study.add_trial(create_trial(params={"x": x}, distributions=dict(space), value=x**2))
    assert trusted_trial(study).params == study.best_params


def test_a_study_without_an_answer_says_so_in_one_line() -> None:
    study = optuna.create_study(study_name="mine")
    with pytest.raises(ValueError, match=r"^study 'mine' has no complete and feasible trial yet$"):
        trusted_trial(study)
    two = optuna.create_study(study_name="two", directions=["minimize"] * 2)
    with pytest.raises(ValueError, match=r"^study 'two' has several objectives: see best_trials$"):
        trusted_trial(two)


def test_a_study_whose_trials_share_no_parameter_has_its_best_trial() -> None:
    study = optuna.create_study()
    for value in (2.0, 1.0, 3.0):
        study.add_trial(create_trial(value=value))
    assert trusted_trial(study).number == 1
