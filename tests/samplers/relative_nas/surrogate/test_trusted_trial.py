"""The trial to trust in a noisy study."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from relativenas_optuna import trusted_trial
from relativenas_optuna.samplers.relative_nas.surrogate.trusted_trial import trusted

Direction = Literal["minimize", "maximize"]


def noisy_study(seed: int, direction: Direction = "minimize") -> optuna.Study:
    """Return a study of noisy scores of x ** 2, whose best eight trials are repeated 24 times."""
    random = np.random.default_rng(seed)
    study = optuna.create_study(direction=direction)
    sign = 1 if direction == "minimize" else -1
    scored = [
        (x**2 + 0.5 * random.standard_normal(), x) for x in random.uniform(-1, 1, 80).tolist()
    ]
    scored += [
        (x**2 + 0.5 * random.standard_normal(), x) for _, x in sorted(scored)[:8] for _ in range(24)
    ]
    for value, x in scored:
        space = {"x": FloatDistribution(-1, 1)}
        study.add_trial(
            create_trial(params={"x": x}, distributions=dict(space), value=sign * value)
        )
    return study


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_trusted_trial_is_better_than_the_luckiest(direction: Direction) -> None:
    studies = [noisy_study(seed, direction) for seed in range(12)]
    trusted = np.mean([trusted_trial(study).params["x"] ** 2 for study in studies])
    luckiest = np.mean([study.best_trial.params["x"] ** 2 for study in studies])
    assert trusted < 0.5 * luckiest


def test_scores_of_one_architecture_count_together() -> None:
    study = optuna.create_study()
    space = {"op": CategoricalDistribution(list("abc"))}
    scored = {"a": [-1.0, 5.0, 4.0, 6.0], "b": [0.5, 0.4, 0.6, 0.5], "c": [4.0, 4.5, 4.2, 4.4]}
    for op, values in scored.items():
        for value in values:
            study.add_trial(create_trial(params={"op": op}, distributions=dict(space), value=value))
    assert study.best_trial.params == {"op": "a"}
    assert trusted_trial(study).params == {"op": "b"}
    assert trusted_trial(study).number == 4  # the first trial of b


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e3, 1e3)), min_size=1, max_size=20),
    st.booleans(),
)
def test_the_trusted_architecture_has_the_lowest_bound(
    scored: list[tuple[int, float]], fails: bool
) -> None:
    architectures, losses = [list(column) for column in zip(*scored, strict=True)]
    values = {a: [loss for b, loss in scored if b == a] for a in architectures}
    means = sorted([float(np.mean(v)) for v in values.values()] + [math.inf] * fails)
    good = means[(len(means) - 1) // 4]  # at least a quarter has no higher mean
    several = [v for v in values.values() if np.mean(v) <= good]
    freedom = sum(len(v) - 1 for v in several)
    squares = sum(np.var(v) * len(v) for v in several)
    noise = (squares / freedom) ** 0.5 if freedom else 0.0
    bounds = {a: np.mean(v) + 2 * noise / len(v) ** 0.5 for a, v in values.items()}
    if fails:
        architectures, losses = [9, *architectures], [math.inf, *losses]
    found = trusted(architectures, losses)
    assert bounds[architectures[found]] == pytest.approx(min(bounds.values()), rel=1e-6, abs=1e-6)
    assert found == architectures.index(architectures[found])


@pytest.mark.parametrize("times", [1, 3])
def test_without_noise_the_best_trial_is_trusted(times: int) -> None:
    study = optuna.create_study()
    for x in np.linspace(-1, 1, 41).tolist() * times:
        space = {"x": FloatDistribution(-1, 1)}
        study.add_trial(create_trial(params={"x": x}, distributions=dict(space), value=x**2))
    assert trusted_trial(study).params == study.best_params


def test_studies_without_a_trusted_trial_are_an_error_in_one_line() -> None:
    study = optuna.create_study(study_name="mine")
    with pytest.raises(ValueError, match=r"^study 'mine' has no complete and feasible trial yet$"):
        trusted_trial(study)
    two = optuna.create_study(study_name="two", directions=["minimize"] * 2)
    with pytest.raises(ValueError, match=r"^study 'two' has several objectives: see best_trials$"):
        trusted_trial(two)


def test_trials_without_parameters_are_different_architectures() -> None:
    study = optuna.create_study()
    for value in (2.0, 1.0, 3.0):
        study.add_trial(create_trial(value=value))
    assert trusted_trial(study).number == 1


def test_numbers_that_differ_in_the_last_digit_are_equal() -> None:
    study = optuna.create_study()
    space = {"lr": FloatDistribution(1e-5, 1, log=True)}
    scored = [(0.001, 0.0), (0.0010000000000000002, 4.0), (0.01, 0.5), (0.01, 0.6), (0.1, 9.0)]
    for lr, value in [*scored, *[(0.2, 10.0 + i) for i in range(11)]]:
        trial = create_trial(params={"lr": lr}, distributions=dict(space), value=value)
        study.add_trial(trial)
    assert trusted_trial(study).params == {"lr": 0.01}


def test_scores_whose_squares_overflow_are_accepted() -> None:
    where = [0, 0, 1, 1, 2, 2, 3, 3, *range(4, 20)]
    scored = [-0.9e154, 0.9e154] * 4 + [1e300] * 16
    assert 0 <= trusted(where, scored) < len(scored)
