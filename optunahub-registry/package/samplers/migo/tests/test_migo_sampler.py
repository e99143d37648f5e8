"""Tests of the OptunaHub package samplers/migo."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import optuna
import optunahub

REGISTRY = Path(__file__).parents[3]
KINDS = ["a", "b", "c"]


def loss(trial: optuna.Trial) -> float:
    kinds = [trial.suggest_categorical(f"kind {i}", KINDS) for i in range(5)]
    return float(sum(kind != KINDS[i % 3] for i, kind in enumerate(kinds)))


def search(n_trials: int, *, fair_sampling: bool) -> optuna.Study:
    module = optunahub.load_local_module("samplers/migo", registry_root=str(REGISTRY))
    sampler = module.MIGOSampler(population_size=9, fair_sampling=fair_sampling, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(loss, n_trials=n_trials)
    return study


def test_a_small_study_finds_the_optimum() -> None:
    assert search(90, fair_sampling=False).best_value == 0


def test_fair_sampling_uses_each_choice_equally_often() -> None:
    # The sampler learns the space from the first generation, so the second one is fair.
    generation = search(18, fair_sampling=True).trials[9:]
    for name in generation[0].params:
        assert Counter(trial.params[name] for trial in generation) == dict.fromkeys(KINDS, 3)


def test_the_same_seed_gives_the_same_trials() -> None:
    first, second = (search(27, fair_sampling=True).trials for _ in range(2))
    assert [trial.params for trial in first] == [trial.params for trial in second]
