"""The slow-fast learning rule of RelativeNAS, as pure functions of arrays.

Source: Tan et al., "RelativeNAS: Relative Neural Architecture Search via Slow-Fast Learning",
IEEE TNNLS 2021. It is the competitive swarm optimizer (Cheng and Jin 2015) without its mean term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def learn(
    x_slow: Vector,
    v_slow: Vector,
    x_fast: Vector,
    *,
    l1: Vector,
    l2: Vector,
    low: Vector,
    high: Vector,
    reflected: NDArray[np.bool_] | None = None,
) -> tuple[Vector, Vector]:
    """Move slow learners toward their fast learners.

    All arrays are `[..., variables]` and broadcast against each other: one pair and a whole
    generation of pairs give the same bits. A fast learner keeps its position and velocity.

    Args:
        x_slow: Positions of the slow learners, inside `[low, high]`.
        v_slow: Velocities of the slow learners; never clamped or reset at a bound.
        x_fast: Positions of the fast learners.
        l1: Random weights of the old velocity, in [0, 1), one per variable.
        l2: Random weights of the step toward the fast learner, in [0, 1), one per variable.
        low: Lower bounds `[variables]`.
        high: Upper bounds `[variables]`.
        reflected: True for the variables `[variables]` that are reflected at their bounds; all
            others are clipped. None clips all, as the paper does.

    Returns:
        The new positions, inside `[low, high]`, and the new velocities.
    """
    velocity = l1 * v_slow + l2 * (x_fast - x_slow)
    position = x_slow + velocity
    clipped = np.clip(position, low, high)
    if reflected is None:
        return clipped, velocity
    outside = (position != clipped) & reflected
    return np.where(outside, _reflect(position, low, high), clipped), velocity


def _reflect(position: Vector, low: Vector, high: Vector) -> Vector:
    """Reflect positions at the bounds as often as needed."""
    width = high - low
    beyond = np.mod(position - low, 2 * width)
    return np.clip(low + np.minimum(beyond, 2 * width - beyond), low, high)


def diversity(positions: Vector) -> float:
    """Return the mean Euclidean distance of members `[members, variables]` to their mean.

    It falls even if the fast learners are chosen at random, so a falling curve alone does not show
    that anything was learned.
    """
    distances = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    return float(distances.mean())
