"""Losses of finished trials: directions, constraints, dominance and crowding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from optuna.study import StudyDirection

from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    Directions = Sequence[StudyDirection]
    Losses = NDArray[np.float64]


def constraints_of(trial: FrozenTrial) -> dict[str, object]:
    """Return a trial's constraints by name; none if they cannot be read.

    Any program can write a trial's attributes, so a value may be something else than a number.
    """
    try:
        return dict(trial.constraints)
    except UNREADABLE:
        return {}


def violation(trial: FrozenTrial) -> float:
    """Return the sum by which a trial violates its constraints; 0 if it is feasible.

    Constraints that are not numbers are ignored.
    """
    values = constraints_of(trial).values()
    numbers = (v for v in values if isinstance(v, int | float) and not isinstance(v, bool))
    try:
        return math.fsum(max(value, 0.0) for value in numbers)
    except OverflowError:
        return math.inf


def losses(trial: FrozenTrial, directions: Directions) -> Losses:
    """Return a complete trial's values as losses `[objectives]`, all to be minimised."""
    return as_losses(trial.values, directions)


def as_losses(values: Sequence[float] | None, directions: Directions) -> Losses:
    """Return values as losses; a missing or NaN value is infinite."""
    if values is None:
        return np.full(len(directions), math.inf)
    pairs = zip(values, directions, strict=True)
    signed = [-v if d == StudyDirection.MAXIMIZE else v for v, d in pairs]
    return np.array([math.inf if math.isnan(v) else v for v in signed], dtype=np.float64)


def domination(a: Losses, b: Losses) -> int:
    """Return -1 if `a` dominates `b` (no worse in any loss, better in one), 1 if `b` does `a`."""
    if (a == b).all():
        return 0
    return -1 if (a <= b).all() else 1 if (b <= a).all() else 0


def best_first(trials: Sequence[FrozenTrial], directions: Directions) -> list[FrozenTrial]:
    """Sort complete trials by violation, then by how many dominate them, then by number."""
    points = np.array([losses(trial, directions) for trial in trials])
    points = points.reshape(len(trials), len(directions))
    dominating = dominating_counts(points)
    order = sorted(
        range(len(trials)), key=lambda i: (violation(trials[i]), dominating[i], trials[i].number)
    )
    return [trials[i] for i in order]


def dominating_counts(points: Losses) -> list[int]:
    """Return, for each of the points `[n, objectives]`, how many others dominate it."""
    points = np.asfortranarray(points)
    _, place, alike = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    # Points that are no worse in every objective, without those that are equal in all.
    return [
        int(np.count_nonzero(_no_worse(points, point))) - int(same)
        for point, same in zip(points, alike[place.ravel()], strict=True)
    ]


def crowding_distance(x: Losses, reference: Losses) -> float:
    """Return the crowding distance of a point among others (Deb et al. 2002).

    It is the sum over the objectives of the distance between the point's two neighbours, divided
    by the range of the others; infinite for a point at an end.

    Args:
        x: Losses of the point, `[objectives]`.
        reference: Losses of the other points, `[others, objectives]`, at least one.
    """
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


def _no_worse(points: Losses, point: Losses) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = points[:, 0] <= point[0]
    for i in range(1, len(point)):
        found &= points[:, i] <= point[i]
    return found
