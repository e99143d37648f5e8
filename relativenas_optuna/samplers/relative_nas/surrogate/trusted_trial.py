"""The trial to trust in a noisy study, where the best trial is often only the luckiest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import ScoreStatistics
from relativenas_optuna.samplers.trial_losses import losses, violation

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

_STANDARD_ERRORS = 2.0
_GOOD_SHARE = 0.25  # of all architectures


def trusted_trial(study: Study) -> FrozenTrial:
    """Return a trial of the architecture with the lowest upper bound of its mean loss.

    `study.best_trial` has the luckiest score. The bound here is the mean of an architecture's
    losses plus two standard errors, so an architecture that was scored often is preferred to one
    that was lucky once. The standard deviation of a score is estimated from the best quarter of
    the architectures, where they have several scores; bad ones may be noisier. If none of them
    has several scores, or their scores are all equal, the result is the best trial.

    Preset "plain" of `RelativeNASSampler` re-evaluates its best members for this purpose, from the
    eighth generation on. Studies of any sampler work: enqueue the parameters of the best trials to
    get more scores of them. Do not use it for scores with shared weights, which change between two
    scores of an architecture; `relativenas search` scores its finalists again instead.

    Args:
        study: Study with one objective.

    Returns:
        A complete trial that violates no constraint, the first one of its architecture.

    Raises:
        ValueError: The study has several objectives, or no complete and feasible trial.
    """
    if len(study.directions) != 1:
        raise ValueError(f"study {study.study_name!r} has several objectives: see best_trials")
    trials = [
        trial for trial in study.get_trials(states=[TrialState.COMPLETE]) if violation(trial) == 0
    ]
    if not trials:
        raise ValueError(f"study {study.study_name!r} has no complete and feasible trial yet")
    values = [float(losses(trial, study.directions)[0]) for trial in trials]
    return trials[trusted([_architecture(trial) for trial in trials], values)]


def trusted(architectures: Sequence[Hashable], losses: Sequence[float]) -> int:
    """Return the index of the first score of the architecture to trust.

    Args:
        architectures: The architecture of each score, `[scored]`.
        losses: The loss of each score, `[scored]`.
    """
    statistics: dict[Hashable, ScoreStatistics] = {}
    for architecture, loss in zip(architectures, losses, strict=True):
        statistics[architecture] = statistics.get(architecture, ScoreStatistics()).with_score(loss)
    means = sorted(known.mean for known in statistics.values())
    good = means[math.ceil(_GOOD_SHARE * len(means)) - 1]
    several = [known for known in statistics.values() if known.count > 1 and known.mean <= good]
    freedom = sum(known.degrees_of_freedom for known in several)
    squares = sum(known.squared_deviations for known in several)
    error = _STANDARD_ERRORS * (math.sqrt(squares / freedom) if freedom else 0.0)
    bounds = {
        architecture: known.mean + (error / math.sqrt(known.count) if known.count else 0.0)
        for architecture, known in statistics.items()
    }
    best = min(bounds, key=lambda architecture: bounds[architecture])
    return list(architectures).index(best)


def _architecture(trial: FrozenTrial) -> Hashable:
    """Return a key that equal architectures share; a trial without parameters has its own.

    Numbers are rounded to 12 digits, since a value on a logarithmic scale may be proposed again
    with another last digit.
    """
    return (
        tuple(
            (name, f"{trial.distributions[name].to_internal_repr(trial.params[name]):.12g}")
            for name in sorted(trial.params)
        )
        or trial.number
    )
