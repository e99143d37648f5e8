"""Compare two rankings of architectures: Kendall's tau-b, its interval, the overlap of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000
TOP = 5
_LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of a score with the truth on the ranking of architectures.

    Attributes:
        count: Number of architectures.
        tau: Kendall's tau-b, -1 to 1; NaN if the score or the truth is the same for all.
        low: Lower end of the 95 % interval of `tau`, by a percentile bootstrap; NaN if `tau` is.
        high: Upper end of that interval.
        top: Number of architectures with the best scores that are looked at, at most 5.
        top_of: Size of the best third by the truth, rounded up.
        top_found: Number of those `top` architectures that are in that best third.
    """

    count: int
    tau: float
    low: float
    high: float
    top: int
    top_of: int
    top_found: int

    @property
    def top_by_chance(self) -> float:
        """Expected `top_found` of a random ranking."""
        return self.top * self.top_of / self.count

    def __str__(self) -> str:
        if math.isnan(self.tau):
            return "no tau, since all are equal"
        return f"{self.tau:+.2f} ({self.low:+.2f} to {self.high:+.2f})"

    @property
    def meaning(self) -> str:
        """One sentence on what the agreement means."""
        if math.isnan(self.tau):
            return "The sample shows nothing: one of the two scores is the same for all."
        right = f"{50 * (1 + self.tau):.0f} of 100 pairs in the right order, tau {self}"
        if self.low > 0:
            return f"The shared score ranks better than chance: it puts {right}."
        if self.high < 0:
            return f"The shared score ranks worse than chance: it puts {right}."
        return (
            f"{self.count} architectures do not show whether the shared score ranks better than "
            f"chance: it puts {right}."
        )


def agreement(score: Sequence[float], truth: Sequence[float], *, seed: int) -> Agreement:
    """Compare two scores of the same architectures; lower is better in both.

    NaN counts as the worst score.

    Args:
        score: Score of each architecture, at least 2.
        truth: True score of each architecture, in the same order.
        seed: Seed of the bootstrap, at least 0.

    Raises:
        ValueError: There are fewer than 2 scores, or the numbers of scores differ.
    """
    if len(score) != len(truth) or len(score) < 2:
        raise ValueError(
            f"score and truth must have the same length of at least 2; got {len(score)} and "
            f"{len(truth)}"
        )
    ours, theirs = (
        np.nan_to_num(np.asarray(s, float), nan=np.inf, posinf=np.inf) for s in (score, truth)
    )
    rng = np.random.default_rng(seed)
    taus = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(ours), size=len(ours))
        taus.append(_tau(ours[drawn], theirs[drawn]))
    known = [tau for tau in taus if not math.isnan(tau)]  # NaN if a draw has one architecture only
    tau = _tau(ours, theirs)
    low, high = (
        (math.nan, math.nan)
        if math.isnan(tau)
        else np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    )
    top, top_of = min(TOP, len(ours)), -(-len(ours) // 3)
    best, truly = (
        set(values.argsort(kind="stable").tolist()[:number])
        for values, number in ((ours, top), (theirs, top_of))
    )
    return Agreement(
        count=len(ours),
        tau=tau,
        low=low,
        high=high,
        top=top,
        top_of=top_of,
        top_found=len(best & truly),
    )


def _tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    # The import takes a second, and few commands need it.
    from scipy.stats import kendalltau

    return float(kendalltau(one, other).statistic)
