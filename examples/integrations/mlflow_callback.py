"""Record each trial as a run of MLflow, by the callback of optuna-integration.

pip install mlflow optuna-integration[mlflow]
"""

import mlflow
import optuna
from optuna_integration import MLflowCallback

from relativenas_optuna import MIGOSampler

TRACKING = "sqlite:///mlflow.db"


def objective(trial: optuna.Trial) -> float:
    """Return a loss with its minimum at kind "b" and size 3."""
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    size = trial.suggest_int("size", 1, 8)
    return {"a": 1.0, "b": 0.0, "c": 2.0}[kind] + abs(size - 3)


optuna.logging.set_verbosity(optuna.logging.WARNING)
sampler = MIGOSampler(population_size=8, fair_sampling=False, seed=0)
study = optuna.create_study(study_name="recorded", sampler=sampler)
study.optimize(
    objective, n_trials=24, callbacks=[MLflowCallback(tracking_uri=TRACKING, metric_name="loss")]
)

client = mlflow.MlflowClient(TRACKING)
experiment = client.get_experiment_by_name("recorded")
runs = client.search_runs([experiment.experiment_id], order_by=["metrics.loss"])
assert len(runs) == len(study.trials)
print(f"{len(runs)} runs in {TRACKING}, the least loss is {runs[0].data.metrics['loss']}")
