"""Ranks of the seats of one generation, by which a sweep is judged."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.trial_losses import (
    as_losses,
    crowding_distance,
    dominating_counts,
    losses,
    violation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Key = tuple[float, ...]

_FEASIBLE, _INFEASIBLE, _PRUNED, _FAILED = range(4)


def ranks_of(seat_scores: Sequence[SeatScore], directions: Sequence[StudyDirection]) -> list[int]:
    """Return a rank from 0 for each scored seat; seats that are equally good share one.

    Complete trials come first, those that violate a constraint after the feasible ones and by their
    violation. With several objectives, a trial that fewer others of the generation dominate is
    better, then one in a less crowded region (`crowding_distance`). Then come pruned trials: the
    one that reached a later step is better, then the one with the better value there. Seats whose
    objective always failed come last.
    """
    keys = [_key(score.counted, directions) for score in seat_scores]
    feasible = [i for i, key in enumerate(keys) if key[0] == _FEASIBLE]
    if len(directions) > 1:
        for i, key in zip(feasible, _pareto_keys([keys[i][1:] for i in feasible]), strict=True):
            keys[i] = (_FEASIBLE, *key)
    order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [order[key] for key in keys]


def _key(trial: FrozenTrial | None, directions: Sequence[StudyDirection]) -> Key:
    """Return numbers by which trials are compared from left to right; lower is better."""
    if trial is None:
        return (_FAILED,)
    broken = violation(trial)
    if trial.state == TrialState.COMPLETE:
        if broken > 0:
            return _INFEASIBLE, broken
        return _FEASIBLE, *losses(trial, directions).tolist()
    reports = trial.intermediate_values
    last = max(reports, default=-1)
    (loss,) = as_losses([reports[last]] if reports else None, directions[:1]).tolist()
    return _PRUNED, broken, -last, loss


def _pareto_keys(points: Sequence[Key]) -> list[Key]:
    """Return how many points dominate each point, and its negative crowding distance.

    Args:
        points: Losses `[n, objectives]`.
    """
    alike: dict[int, set[Key]] = defaultdict(set)
    counts = dominating_counts(np.array(points)) if points else []
    for count, point in zip(counts, points, strict=True):
        alike[count].add(point)
    return [
        (count, -_distance(point, alike[count] - {point}))
        for count, point in zip(counts, points, strict=True)
    ]


def _distance(point: Key, others: set[Key]) -> float:
    if not others:
        return math.inf
    return crowding_distance(np.array(point), np.array(sorted(others)))
