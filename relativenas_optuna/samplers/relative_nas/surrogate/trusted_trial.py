"""Which trial of a noisy study to trust: the best one is the luckiest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.dominance import losses, violation
from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import ScoreStatistics

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

_SURE = 2.0  # standard errors
_GOOD = 0.25  # of all architectures


def trusted_trial(study: Study) -> FrozenTrial:
    """The trial whose architecture is surely good, by all of its scores together.

    `study.best_trial` is the one with the luckiest score. Here an architecture counts as much as
    the mean of its scores and two standard errors of that more, for a loss. How noisy a score is
    is seen from those of the best quarter of the architectures that have several; bad ones may be
    noisier. So one that proved itself is taken before one that was lucky once. Preset "plain" of
    `RelativeNASSampler` has its best members scored again for that, from its eighth generation
    on. Where no good architecture was scored twice, or scores do not differ, it is the best trial.

    It works on a study of any sampler. To be surer still, enqueue the parameters of the best ones
    and look again. It is not for scores with shared weights, which change meanwhile: `search`
    scores its finalists again instead.

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
    values = [float(losses(trial, study.directions)[0]) for trial in trials]
    return trials[trusted([_architecture(trial) for trial in trials], values)]


def trusted(architectures: Sequence[Hashable], losses: Sequence[float]) -> int:
    """Which of what was scored to trust, of several alike the first.

    Args:
        architectures: What was scored, `[scored]`.
        losses: `[scored]`.
    """
    statistics: dict[Hashable, ScoreStatistics] = {}
    for architecture, loss in zip(architectures, losses, strict=True):
        statistics[architecture] = statistics.get(architecture, ScoreStatistics()).with_score(loss)
    means = sorted(known.mean for known in statistics.values())
    good = means[math.ceil(_GOOD * len(means)) - 1]
    several = [known for known in statistics.values() if known.count > 1 and known.mean <= good]
    freedom = sum(known.degrees_of_freedom for known in several)
    squares = sum(known.squared_deviations for known in several)
    noise = math.sqrt(squares / freedom) if freedom else 0.0
    bounds = {
        architecture: known.mean + (_SURE * noise / math.sqrt(known.count) if known.count else 0.0)
        for architecture, known in statistics.items()
    }
    best = min(bounds, key=lambda architecture: bounds[architecture])
    return list(architectures).index(best)


def _architecture(trial: FrozenTrial) -> Hashable:
    """What tells two architectures apart; of a trial without parameters nothing is known.

    Numbers are rounded, for one on a logarithmic scale may come back with another last digit.
    """
    return (
        tuple(
            (name, f"{trial.distributions[name].to_internal_repr(trial.params[name]):.12g}")
            for name in sorted(trial.params)
        )
        or trial.number
    )
