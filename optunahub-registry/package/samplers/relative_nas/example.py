"""Search numbers and categories with the sampler from OptunaHub."""

from __future__ import annotations

import optuna
import optunahub


def objective(trial: optuna.Trial) -> float:
    """Return a loss with its minimum at x = 2, depth = 3, kind = "b"."""
    x = trial.suggest_float("x", -10, 10)
    depth = trial.suggest_int("depth", 1, 8)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return (x - 2) ** 2 + abs(depth - 3) + {"a": 1.0, "b": 0.0, "c": 2.0}[kind]


if __name__ == "__main__":
    module = optunahub.load_module(package="samplers/relative_nas")
    study = optuna.create_study(sampler=module.RelativeNASSampler(population_size=10, seed=0))
    study.optimize(objective, n_trials=100)
    print(study.best_trial.value, study.best_trial.params)
