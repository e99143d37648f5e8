"""Fair sampling: a sweep uses all categories of a variable equally often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Indices = NDArray[np.intp]


def draw_sweep(weights: Vector, size: int, random: np.random.Generator, *, fair: bool) -> Indices:
    """Return the categories of all samples of one sweep.

    Args:
        weights: Weight of each category, `[variables, most]`; 0 for one that is not drawn, above 0
            for at least one of each variable.
        size: Number of samples.
        random: Random generator of the sweep.
        fair: True if the numbers of uses of two categories of a variable differ by at most 1 in the
            sweep, False to draw each sample by the weights alone.

    Returns:
        Indices of the categories, `[size, variables]`.
    """
    variables, uses = np.arange(len(weights)), np.zeros(weights.shape, dtype=np.intp)
    sweep = np.zeros((size, len(weights)), dtype=np.intp)
    for sample in sweep:
        sample[:] = draw_sample(weights, uses, random)
        if fair:
            uses[variables, sample] += 1
    return sweep


def draw_sample(weights: Vector, uses: Indices, random: np.random.Generator) -> Indices:
    """Draw one of the least used categories of each variable, in proportion to the weights.

    Args:
        weights: Weight of each category, `[variables, most]`; 0 for one that is not drawn, above 0
            for at least one of each variable.
        uses: How often the sweep has used each category so far, `[variables, most]`.
        random: Random generator of the sweep.

    Returns:
        Index of the category of each variable, `[variables]`.
    """
    possible = weights > 0
    least = np.where(possible, uses, np.iinfo(uses.dtype).max).min(axis=1, keepdims=True)
    candidates = np.where(possible & (uses == least), weights, 0.0)
    # The first of several arrivals at these rates is the one of category k in proportion to rate k.
    times = np.full(weights.shape, np.inf)
    arrivals = random.standard_exponential(weights.shape)
    np.divide(arrivals, candidates, out=times, where=candidates > 0)
    drawn: Indices = times.argmin(axis=1)
    return drawn
