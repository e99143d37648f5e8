"""Compute means with intervals, ranks, ratios and tests of regrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata, wilcoxon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Regrets = Mapping[str, Mapping[str, Vector]]  # sampler -> problem -> [seeds, trials]

_RESAMPLES = 2_000
_LEAST = 1e-2  # of a mean regret in a ratio, in units of the largest among the samplers
LEVEL = 0.05


def interval(values: Vector) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over the first axis."""
    random = np.random.default_rng(0)
    drawn = values[random.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def seeds_of(regrets: Regrets, names: Sequence[str], problem: str) -> int:
    """Return the number of seeds that all of the samplers have on a problem."""
    return min(len(regrets[name].get(problem, ())) for name in names)


def average_ranks(
    regrets: Regrets, names: Sequence[str], problems: Sequence[str], trials: int
) -> dict[str, float]:
    """Return the average over problems and seeds of a sampler's rank; 1 is the best, ties share."""
    ranks = [
        rankdata([regrets[name][problem][seed, trials - 1] for name in names])
        for problem in problems
        for seed in range(seeds_of(regrets, names, problem))
    ]
    return dict(zip(names, np.mean(ranks, axis=0).tolist(), strict=True))


def mean_ratios(
    regrets: Regrets, names: Sequence[str], problems: Sequence[str], trials: int, ours: str
) -> dict[str, float]:
    """Geometric mean over problems of our mean regret divided by each sampler's.

    A mean below a hundredth of the worst sampler's counts as that much, since 0 has no ratio.
    """
    logs = []
    for problem in problems:
        seeds = seeds_of(regrets, names, problem)
        means = np.array([regrets[n][problem][:seeds, trials - 1].mean() for n in names])
        means = np.maximum(means, _LEAST * max(means.max(), 1e-300))
        logs.append(np.log(means[list(names).index(ours)] / means))
    return dict(zip(names, np.exp(np.mean(logs, axis=0)).tolist(), strict=True))


def comparisons(
    regrets: Regrets, ours: str, other: str, problems: Sequence[str], trials: int
) -> dict[str, tuple[float, float]]:
    """Per problem the mean difference, ours less the other's, and its p value after Holm.

    Wilcoxon's signed rank test over seeds, two-sided.
    """
    differences = {}
    for problem in problems:
        seeds = seeds_of(regrets, (ours, other), problem)
        one, two = (regrets[name][problem][:seeds, trials - 1] for name in (ours, other))
        differences[problem] = one - two
    values = [float(wilcoxon(d).pvalue) if d.any() else 1.0 for d in differences.values()]
    means = [float(d.mean()) for d in differences.values()]
    corrected = holm(values)
    return dict(zip(differences, zip(means, corrected, strict=True), strict=True))


def holm(values: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction for their number."""
    corrected, largest = [0.0] * len(values), 0.0
    for place, i in enumerate(np.argsort(values).tolist()):
        largest = max(largest, min(1.0, (len(values) - place) * values[i]))
        corrected[i] = largest
    return corrected
