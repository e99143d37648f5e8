"""The update of MIGO: natural gradient steps on a product of categorical distributions.

Arrays over categories have the shape `[variables, most]`, where `most` is the largest number of
categories of a variable. A category that a variable does not have, or that was pruned, has the
probability 0; all others have a positive one, and each row of `theta` sums to 1.

Sources: MIGO is that of MIGO-NAS (Zheng et al., IEEE TPAMI 43(9), 2021). The natural gradient, its
norm and the lower bound of probabilities are those of ASNG (Akimoto et al., ICML 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Indices = NDArray[np.intp]

UNKNOWN = -1  # in place of a category, for a sample without a value of the variable
_HEIGHT = 0.4  # h of the utilities; with it they stay within 0.78, far from the clip at 1 of MIGO
_SPREAD = 1.5
_LEAST_NORM = 1e-9  # of a gradient that is more than rounding


def uniform(counts: Sequence[int]) -> Vector:
    """Return uniform distributions over as many categories of each variable."""
    numbers = np.array(counts, dtype=np.intp)[:, None]
    most = max(counts, default=1)
    theta: Vector = np.where(np.arange(most) < numbers, 1 / numbers, 0.0)
    return theta


def log_utilities(ranks: Sequence[int]) -> Vector:
    """Return the utilities `[samples]` of samples, by rank alone.

    The n utilities are w = h ln((1 + x) / (1 - x)) with x = 1.5 (i - mean) / n for i from 1 to n
    and h = 0.4 (MIGO). The best sample gets the largest one.

    Args:
        ranks: A number for each sample, lower for a better one. Samples with equal numbers share
            the mean of their utilities.
    """
    n = len(ranks)
    places = (_SPREAD * ((n - 1) / 2 - place) / n for place in range(n))
    falling = np.array([2 * _HEIGHT * math.atanh(x) for x in places])
    _, group, counts = np.unique(ranks, return_inverse=True, return_counts=True)
    means = np.add.reduceat(falling, np.cumsum(counts) - counts) / counts
    utilities: Vector = means[group]
    return utilities


def natural_gradient(theta: Vector, samples: Indices, utilities: Vector) -> Vector:
    """Return the natural gradient of the expected utility, in expectation parameters.

    It is the mean over the samples of w (onehot - theta) (ASNG, section 3). A sample with an
    unknown or pruned category of a variable counts as 0 for this variable.

    Args:
        theta: Probabilities `[variables, most]`.
        samples: Categories `[samples, variables]`, `UNKNOWN` where there is none.
        utilities: Utilities `[samples]`.
    """
    variables = np.arange(len(theta))
    known = (samples != UNKNOWN) & (theta[variables, samples] > 0)
    weights = np.where(known, utilities[:, None], 0.0)
    gradient: Vector = -theta * weights.sum(axis=0)[:, None]
    np.add.at(gradient, (variables, samples), weights)
    gradient /= len(samples)
    return gradient


def fisher_norm(gradient: Vector, theta: Vector) -> float:
    """Return the length of a step in the Fisher metric of all variables together.

    It is the square root of the sum of gradient^2 / theta over all categories. For each variable
    this equals the formula of ASNG over its first K - 1 categories.
    """
    alive = theta > 0
    return math.sqrt(float((gradient[alive] ** 2 / theta[alive]).sum()))


def updated(
    theta: Vector,
    velocity: Vector,
    samples: Indices,
    utilities: Vector,
    *,
    step: float,
    momentum: float,
) -> tuple[Vector, Vector] | None:
    """Move the distributions toward the samples with high utilities.

    velocity = momentum velocity + (1 - momentum) step gradient / |gradient|, theta += velocity
    (MIGO), and the lower bound of `bounded`.

    Args:
        theta: Probabilities `[variables, most]`.
        velocity: The velocity before, `[variables, most]`.
        samples: Categories `[samples, variables]`, `UNKNOWN` where there is none.
        utilities: Utilities `[samples]`.
        step: Length of a step in the Fisher metric, above 0.
        momentum: Weight of the velocity before, from 0 to below 1.

    Returns:
        The new `theta` and velocity; None if the samples say nothing, since all scores are equal.
    """
    gradient = natural_gradient(theta, samples, utilities)
    norm = fisher_norm(gradient, theta)
    if norm < _LEAST_NORM:
        return None
    velocity = momentum * velocity + (1 - momentum) * step / norm * gradient
    return bounded(theta + velocity, theta > 0), velocity


def bounded(theta: Vector, alive: NDArray[np.bool_]) -> Vector:
    """Return `theta` with rows that sum to 1 and no probability below the lower bound.

    What a row has above the bounds is scaled (ASNG, section 4).

    Args:
        theta: `[variables, most]`, with rows that sum to about 1.
        alive: True for the categories of which a variable has not lost any, `[variables, most]`.
    """
    low = np.where(alive, lower_bounds(alive)[:, None], 0.0)
    above = np.where(alive, np.maximum(theta - low, 0.0), 0.0)
    room = 1 - low.sum(axis=1, keepdims=True)
    probabilities: Vector = low + above * (room / above.sum(axis=1, keepdims=True))
    return probabilities


def lower_bounds(alive: NDArray[np.bool_]) -> Vector:
    """Return the lower bound of the probabilities of each variable, `[variables]`.

    It is 1 / (d (K - 1)) for the d variables that have K > 1 categories left (ASNG), so that a
    sample has at least one variable, on average, that is not at its most likely category. Here it
    is at most 1 / (2 K): with fewer than four variables, `theta` could not move otherwise.
    """
    counts = alive.sum(axis=1)
    undecided = counts > 1
    others = np.maximum(counts - 1, 1) * max(int(undecided.sum()), 1)
    low: Vector = np.where(undecided, np.minimum(1 / others, 0.5 / np.maximum(counts, 1)), 0.0)
    return low


def pruned(
    theta: Vector,
    velocity: Vector,
    is_possible: Callable[[NDArray[np.bool_]], bool] | None = None,
) -> tuple[Vector, Vector]:
    """Drop the least likely category of each variable that has more than one left.

    Of several, it is the one with the lowest velocity, then the first.

    Args:
        theta: Probabilities `[variables, most]`.
        velocity: The velocity, `[variables, most]`.
        is_possible: Function that returns True if a sample can have some of the categories only,
            `[variables, most]`. A category without which none is possible is not dropped; the
            variables come in their order. None if all are possible.

    Returns:
        The probabilities given that no dropped category is drawn, and the velocity of these.
    """
    alive, variables = theta > 0, np.arange(len(theta))
    least = np.where(alive, theta, np.inf).min(axis=1, keepdims=True)
    dropped = np.where(alive & (theta == least), velocity, np.inf).argmin(axis=1)
    kept = alive.copy()
    kept[variables, dropped] = alive.sum(axis=1) < 2
    if is_possible is not None and not is_possible(kept):
        kept = alive.copy()
        for variable in np.flatnonzero(alive.sum(axis=1) > 1):
            kept[variable, dropped[variable]] = False
            kept[variable, dropped[variable]] = not is_possible(kept)
    rest = np.where(kept, theta, 0.0)
    total = rest.sum(axis=1, keepdims=True)
    theta, moving = rest / total, np.where(kept, velocity, 0.0) / total
    # The derivative of rest / total along the velocity: its rows sum to 0.
    return bounded(theta, kept), moving - theta * moving.sum(axis=1, keepdims=True)
