"""Dominance between scored trials and seats, by which a pair's fast learner is found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import WORTHLESS
from relativenas_optuna.samplers.trial_losses import (
    as_losses,
    crowding_distance,
    domination,
    losses,
    violation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Directions = Sequence[StudyDirection]
    Losses = NDArray[np.float64]


def compare(first: SeatScore, second: SeatScore, directions: Directions) -> int:
    """Compare two scored seats: -1 if the first is better, 1 if the second is, 0 if neither.

    The first of these rules that applies decides. A complete trial is better than a pruned one, and
    a pruned one than a seat whose objective always failed. A smaller total violation of the
    constraints is better (Deb 2000); an equal one above 0 is a tie. A complete trial that dominates
    the other is better (no worse in any objective, better in one). Of two pruned trials, the one
    with the better report at the last step that both reached is better.
    """
    a, b = first.counted, second.counted
    if a is None or b is None:
        return (a is None) - (b is None)
    ranks = [(trial.state != TrialState.COMPLETE, violation(trial)) for trial in (a, b)]
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if ranks[0][1] > 0:
        return 0
    if a.state == TrialState.COMPLETE:
        return domination(losses(a, directions), losses(b, directions))
    steps = a.intermediate_values.keys() & b.intermediate_values.keys()
    if not steps:
        return 0
    reported = [[trial.intermediate_values[max(steps)]] for trial in (a, b)]
    return domination(*(as_losses(values, directions[:1]) for values in reported))


def loss_of(trial: FrozenTrial | None, directions: Directions) -> float:
    """Return one loss for a trial with one objective; only its order has a meaning.

    The loss of a trial that violates its constraints is larger than any of a feasible trial. The
    loss of a trial that is not complete is infinite.
    """
    if trial is None or trial.state != TrialState.COMPLETE:
        return math.inf
    broken = violation(trial)
    if broken > 0:
        return WORTHLESS * (2 - 1 / (1 + broken))
    return float(losses(trial, directions)[0])


def compare_crowding(
    first: SeatScore, second: SeatScore, others: Sequence[SeatScore], directions: Directions
) -> int:
    """Compare two scored seats by how crowded the other seats' points are around them.

    See `less_crowded`. Only complete trials are compared, and only with complete and feasible ones.
    """
    pair = [score.counted for score in (first, second)]
    points = [losses(t, directions) for t in pair if t and t.state == TrialState.COMPLETE]
    if len(points) < 2:
        return 0
    counted = [score.counted for score in others]
    reference = [
        losses(trial, directions)
        for trial in counted
        if trial is not None
        and all(trial is not own for own in pair)
        and trial.state == TrialState.COMPLETE
        and violation(trial) == 0
    ]
    return less_crowded(points[0], points[1], np.array(reference))


def less_crowded(first: Losses, second: Losses, reference: Losses) -> int:
    """Compare two points that do not dominate each other by the other points around them.

    Each is seen as one more point among the others. The point that fewer others dominate is better.
    If that is a tie, the point with the larger `crowding_distance` is better.

    Args:
        first: Losses of the first point, `[objectives]`.
        second: Losses of the second point, `[objectives]`.
        reference: Losses of the other points, `[others, objectives]`.

    Returns:
        -1 if the first is better, 1 if the second is, 0 if neither.
    """
    if not len(reference):
        return 0
    dominating = [sum(domination(other, x) < 0 for other in reference) for x in (first, second)]
    if dominating[0] != dominating[1]:
        return -1 if dominating[0] < dominating[1] else 1
    distances = [crowding_distance(x, reference) for x in (first, second)]
    return int(distances[0] < distances[1]) - int(distances[0] > distances[1])
