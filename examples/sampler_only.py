"""Use the sampler in a plain Optuna script, without networks and with any objective."""

import optuna

from relativenas_optuna import RelativeNASSampler


def objective(trial: optuna.Trial) -> float:
    """Return a loss with its minimum at x = 2, depth = 3, kind = "b"."""
    x = trial.suggest_float("x", -10, 10)
    depth = trial.suggest_int("depth", 1, 8)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return (x - 2) ** 2 + abs(depth - 3) + {"a": 1.0, "b": 0.0, "c": 2.0}[kind]


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=RelativeNASSampler(population_size=10, seed=0))
study.optimize(objective, n_trials=300)
print(f"best of {len(study.trials)} trials: {study.best_value:.4f} at {study.best_params}")
