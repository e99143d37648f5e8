"""Use the sampler for a scikit-learn pipeline that Optuna tunes already, by changing one line.

The objective stays as it is. It chooses a scaler, whether there is a PCA, the number of its
components if there is one, and parameters of the classifier: floats, an integer and a categorical.
The parameters that all trials have are searched. The number of components, which only some trials
have, is drawn uniformly, and a warning says so.
"""

import optuna
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC

from relativenas_optuna import RelativeNASSampler

SCALERS = {"standard": StandardScaler, "min-max": MinMaxScaler, "robust": RobustScaler}
features, classes = load_wine(return_X_y=True)


def objective(trial: optuna.Trial) -> float:
    """Return the accuracy of a pipeline in a 5-fold cross-validation."""
    steps = [SCALERS[trial.suggest_categorical("scaler", list(SCALERS))]()]
    if trial.suggest_categorical("reduce", [True, False]):
        steps.append(PCA(trial.suggest_int("components", 2, 12), random_state=0))
    kernel = trial.suggest_categorical("kernel", ["rbf", "poly", "sigmoid"])
    steps.append(
        SVC(
            kernel=kernel,
            C=trial.suggest_float("C", 1e-3, 1e3, log=True),
            gamma=trial.suggest_float("gamma", 1e-4, 10, log=True),
            coef0=trial.suggest_float("coef0", -1, 1),
            degree=trial.suggest_int("degree", 2, 5),
        )
    )
    return float(cross_val_score(make_pipeline(*steps), features, classes, cv=5).mean())


optuna.logging.set_verbosity(optuna.logging.WARNING)
# Before: sampler = optuna.samplers.TPESampler(seed=0)
sampler = RelativeNASSampler(population_size=10, seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(objective, n_trials=120)

first = max(trial.value for trial in study.trials[:10] if trial.value is not None)
print(f"best of the first generation {first:.3f}, of {len(study.trials)} trials", end=" ")
print(f"{study.best_value:.3f}: {study.best_params}")
