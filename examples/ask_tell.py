"""Drive a search by ask and tell, one candidate at a time and a generation at a time.

Use this for a loop of your own: a simulator, a laboratory, a batch on a device. `ask_generation`
returns all candidates that can be scored now, so one call of NumPy or one batch on a GPU scores
them.
"""

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution

from relativenas_optuna import RelativeNASSampler

SPACE: dict[str, BaseDistribution] = {f"x{n}": FloatDistribution(-5, 5) for n in range(8)}


def losses_of(points: np.ndarray) -> list[float]:
    """Return the losses of points `[n, 8]`: Rastrigin's function with its minimum at 1."""
    distance = points - 1
    return list((distance**2 + 3 * (1 - np.cos(2 * np.pi * distance))).sum(axis=1))


def point(trial: optuna.Trial) -> list[float]:
    """Return the candidate of a trial."""
    return [trial.params[name] for name in SPACE]


optuna.logging.set_verbosity(optuna.logging.WARNING)
sampler = RelativeNASSampler(SPACE, population_size=40, seed=0)
study = optuna.create_study(sampler=sampler)

# One candidate at a time. Any number may be pending, and results may be reported in any order.
for _ in range(40):
    trial = study.ask(SPACE)
    study.tell(trial, losses_of(np.array([point(trial)]))[0])
print(f"{len(study.trials):5} trials, one by one: best {study.best_value:.3f}")

# A generation at a time. A fast learner keeps its score, so later generations score slow learners.
for generation in range(1, 100):
    trials = sampler.ask_generation(study)
    losses = losses_of(np.array([point(trial) for trial in trials]))
    for trial, loss in zip(trials, losses, strict=True):
        study.tell(trial, loss)
    if generation % 33 == 0:
        print(f"{len(study.trials):5} trials, generation {generation}: best {study.best_value:.3f}")
