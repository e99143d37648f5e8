"""Tune a scikit-learn estimator by OptunaSearchCV of optuna-integration.

pip install optuna-integration[sklearn]
"""

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna_integration import OptunaSearchCV
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from relativenas_optuna import RelativeNASSampler

features, classes = load_wine(return_X_y=True)
study = optuna.create_study(
    direction="maximize", sampler=RelativeNASSampler(population_size=8, seed=0)
)
search = OptunaSearchCV(
    make_pipeline(StandardScaler(), SVC()),
    {
        "svc__C": FloatDistribution(1e-3, 1e3, log=True),
        "svc__gamma": FloatDistribution(1e-4, 10, log=True),
        "svc__kernel": CategoricalDistribution(["rbf", "poly", "sigmoid"]),
    },
    n_trials=40,
    study=study,
)
optuna.logging.set_verbosity(optuna.logging.WARNING)
search.fit(features, classes)
print(f"accuracy {search.best_score_:.3f} in {len(study.trials)} trials: {search.best_params_}")
