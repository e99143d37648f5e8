"""Fair sampling: a sweep uses all categories of a variable equally often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.migo.natural_gradient import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Indices = NDArray[np.intp]


def draw_sweep(
    weights: Vector, size: int, random: np.random.Generator, *, uses: Indices | None
) -> Indices:
    """Return the categories of all samples of one sweep.

    With fair sampling, the numbers of uses of two categories of a variable in the sweep differ by
    at most 1. Which categories are used more often than others is decided by all uses before it,
    so that these numbers stay close to each other too.

    Args:
        weights: Weight of each category, `[variables, most]`; 0 for one that is not drawn, above 0
            for at least one of each variable.
        size: Number of samples.
        random: Random generator of the sweep.
        uses: How often each category was used before the sweep, `[variables, most]`; None to draw
            each sample by the weights alone.

    Returns:
        Indices of the categories, `[size, variables]`.
    """
    variables = np.arange(len(weights))
    so_far = np.zeros(weights.shape, dtype=np.intp) if uses is None else uses.copy()
    # A use within the sweep counts more than all uses before it.
    one = 0 if uses is None else 1 + int(uses.max(initial=0))
    sweep = np.zeros((size, len(weights)), dtype=np.intp)
    for sample in sweep:
        sample[:] = draw_sample(weights, so_far, random)
        so_far[variables, sample] += one
    return sweep


def draw_sample(weights: Vector, uses: Indices, random: np.random.Generator) -> Indices:
    """Draw one of the least used categories of each variable, in proportion to the weights.

    Args:
        weights: Weight of each category, `[variables, most]`; 0 for one that is not drawn, above 0
            for at least one of each variable.
        uses: How often each category was used so far, `[variables, most]`.
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


def uses_of(samples: Indices, shape: tuple[int, ...]) -> Indices:
    """Return how often samples use each category.

    Args:
        samples: Categories `[samples, variables]`, `UNKNOWN` where there is none.
        shape: `(variables, most)`.
    """
    uses = np.zeros(shape, dtype=np.intp)
    np.add.at(uses, (np.arange(len(uses)), samples), samples != UNKNOWN)
    return uses
