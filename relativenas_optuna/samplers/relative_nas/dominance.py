"""Dominance between scored trials and seats, by which a pair's fast learner is found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import WORTHLESS
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
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
        return _domination(losses(a, directions), losses(b, directions))
    steps = a.intermediate_values.keys() & b.intermediate_values.keys()
    if not steps:
        return 0
    reported = [[trial.intermediate_values[max(steps)]] for trial in (a, b)]
    return _domination(*(_as_losses(values, directions[:1]) for values in reported))


def violation(trial: FrozenTrial) -> float:
    """Return the sum by which a trial violates its constraints; 0 if it is feasible.

    Constraints that are not numbers are ignored: any program can write a trial's attributes.
    """
    try:
        values: list[object] = list(trial.constraints.values())
    except UNREADABLE:
        return 0.0
    numbers = (v for v in values if isinstance(v, int | float) and not isinstance(v, bool))
    try:
        return math.fsum(max(value, 0.0) for value in numbers)
    except OverflowError:
        return math.inf


def losses(trial: FrozenTrial, directions: Directions) -> Losses:
    """Return a complete trial's values as losses `[objectives]`, all to be minimised."""
    return _as_losses(trial.values, directions)


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


def best_first(trials: Sequence[FrozenTrial], directions: Directions) -> list[FrozenTrial]:
    """Sort complete trials by violation, then by how many dominate them, then by number."""
    points = np.array([losses(trial, directions) for trial in trials])
    points = np.asfortranarray(points.reshape(len(trials), len(directions)))
    _, place, alike = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    # Trials that are at least as good in every objective, without those that are equal in all.
    dominating = [
        int(np.count_nonzero(_no_worse(points, point))) - int(same)
        for point, same in zip(points, alike[place.ravel()], strict=True)
    ]
    order = sorted(
        range(len(trials)), key=lambda i: (violation(trials[i]), dominating[i], trials[i].number)
    )
    return [trials[i] for i in order]


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
    If that is a tie, the point with the larger crowding distance (Deb et al. 2002) is better: the
    sum over the objectives of the distance between its two neighbours, divided by the range of the
    others; infinite for a point at an end.

    Args:
        first: Losses of the first point, `[objectives]`.
        second: Losses of the second point, `[objectives]`.
        reference: Losses of the other points, `[others, objectives]`.

    Returns:
        -1 if the first is better, 1 if the second is, 0 if neither.
    """
    if not len(reference):
        return 0
    dominating = [sum(_domination(other, x) < 0 for other in reference) for x in (first, second)]
    if dominating[0] != dominating[1]:
        return -1 if dominating[0] < dominating[1] else 1
    distances = [_crowding_distance(x, reference) for x in (first, second)]
    return int(distances[0] < distances[1]) - int(distances[0] > distances[1])


def _no_worse(points: Losses, point: Losses) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = points[:, 0] <= point[0]
    for i in range(1, len(point)):
        found &= points[:, i] <= point[i]
    return found


def _crowding_distance(x: Losses, reference: Losses) -> float:
    distance = 0.0
    for value, others in zip(x.tolist(), np.sort(reference, axis=0).T, strict=True):
        place = int(np.searchsorted(others, value))
        above = int(np.searchsorted(others, value, side="right"))
        if place == 0 or above == len(others):
            return math.inf
        width = float(others[-1] - others[0])
        if math.isfinite(width) and width > 0:
            distance += float(others[above] - others[place - 1]) / width
    return distance


def _domination(a: Losses, b: Losses) -> int:
    """Return -1 if `a` dominates `b` (no worse in any loss, better in one), 1 if `b` does `a`."""
    if (a == b).all():
        return 0
    return -1 if (a <= b).all() else 1 if (b <= a).all() else 0


def _as_losses(values: Sequence[float] | None, directions: Directions) -> Losses:
    """Return values as losses; a missing or NaN value is infinite."""
    if values is None:
        return np.full(len(directions), math.inf)
    pairs = zip(values, directions, strict=True)
    signed = [-v if d == StudyDirection.MAXIMIZE else v for v, d in pairs]
    return np.array([math.inf if math.isnan(v) else v for v in signed], dtype=np.float64)
