"""Tests of the OptunaHub package samplers/relative_nas."""

from __future__ import annotations

from pathlib import Path

import optuna
import optunahub

REGISTRY = Path(__file__).parents[3]


def loss(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -10, 10)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return (x - 2) ** 2 + {"a": 1.0, "b": 0.0, "c": 2.0}[kind]


def search(n_trials: int) -> optuna.Study:
    module = optunahub.load_local_module("samplers/relative_nas", registry_root=str(REGISTRY))
    study = optuna.create_study(sampler=module.RelativeNASSampler(population_size=10, seed=0))
    study.optimize(loss, n_trials=n_trials)
    return study


def test_a_small_study_comes_close_to_the_optimum() -> None:
    assert search(60).best_value < 0.1


def test_the_same_seed_gives_the_same_trials() -> None:
    first, second = (search(30).trials for _ in range(2))
    assert [trial.params for trial in first] == [trial.params for trial in second]
