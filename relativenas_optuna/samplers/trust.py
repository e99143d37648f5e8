"""Which trial of a noisy study to trust: the best one is the luckiest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from optuna.search_space import intersection_search_space
from optuna.trial import TrialState

from relativenas_optuna.samplers.comparison import losses, violation
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.forecast import Forecast

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.trial import FrozenTrial

    Vector = NDArray[np.float64]

_SIZE = 256  # architectures that are pooled


def trusted_trial(study: Study) -> FrozenTrial:
    """The trial whose architecture is the best one by all scores of the study together.

    `study.best_trial` is the one with the luckiest score. Here every score says something of
    architectures near its own: a Gaussian process (`Forecast`) pools them, the scores of an
    architecture that was scored more than once among them, and finds out how noisy they are. The
    trial is taken that has the lowest expected loss. Where nothing is noisy that is seldom another
    one than the best.

    It works on a study of any sampler. To be surer still, enqueue its parameters and look again.

    Args:
        study: Of one objective.

    Returns:
        A complete trial that violates no constraint; the first of several with one architecture.

    Raises:
        ValueError: The study has several objectives, or no such trial.
    """
    if len(study.directions) != 1:
        raise ValueError(f"study {study.study_name!r} has several objectives: see best_trials")
    trials = [
        trial for trial in study.get_trials(states=[TrialState.COMPLETE]) if violation(trial) == 0
    ]
    if not trials:
        raise ValueError(f"study {study.study_name!r} has no complete and feasible trial yet")
    encoding = Encoding.of(intersection_search_space(trials))
    values = np.array([losses(trial, study.directions)[0] for trial in trials])
    if not encoding.space or not np.isfinite(values).any():
        return trials[int(np.argmin(values))]
    positions = np.array([encoding.position_of(trial.params, encoding.low) for trial in trials])
    return trials[trusted(encoding, positions, values)]


def trusted(encoding: Encoding, positions: Vector, losses: Vector) -> int:
    """Which of what was scored to trust.

    Args:
        encoding: Of the search space.
        positions: `[scored, variables]`, see `Encoding.settled`.
        losses: `[scored]`, of which one at least is finite.
    """
    forecast = Forecast(encoding.features, positions, losses, _SIZE)
    best = positions[np.lexsort((losses, forecast.means(positions)))[0]]
    return int(np.flatnonzero((positions == best).all(axis=1))[0])
