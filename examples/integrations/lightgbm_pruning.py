"""Tune LightGBM, and stop bad trials early by one of Optuna's pruners.

A pruned trial has no score, so its architecture counts as worse than all complete ones.

pip install lightgbm optuna-integration
"""

import lightgbm
import optuna
from optuna_integration import LightGBMPruningCallback
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from relativenas_optuna import RelativeNASSampler

data = load_breast_cancer()
train_x, test_x, train_y, test_y = train_test_split(data.data, data.target, random_state=0)


def objective(trial: optuna.Trial) -> float:
    """Return the log loss on the held-out part after at most 60 rounds."""
    train = lightgbm.Dataset(train_x, train_y)
    settings = {
        "objective": "binary",
        "metric": "binary_logloss",
        "verbosity": -1,
        "num_threads": 1,
        "seed": 0,
        "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.5, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
    }
    pruning = LightGBMPruningCallback(trial, "binary_logloss", valid_name="held out")
    held_out = lightgbm.Dataset(test_x, test_y, reference=train)
    model = lightgbm.train(
        settings, train, 60, valid_sets=[held_out], valid_names=["held out"], callbacks=[pruning]
    )
    return float(model.best_score["held out"]["binary_logloss"])


optuna.logging.set_verbosity(optuna.logging.WARNING)
pruner = optuna.pruners.MedianPruner(n_warmup_steps=10)
study = optuna.create_study(sampler=RelativeNASSampler(population_size=8, seed=0), pruner=pruner)
study.optimize(objective, n_trials=40)
pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
print(f"log loss {study.best_value:.3f}, {len(pruned)} of {len(study.trials)} trials were pruned")
