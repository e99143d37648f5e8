"""How far two scores rank architectures alike: Kendall's tau-b, its interval, the best of both."""

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
    """How far a score ranks architectures as the truth does.

    Attributes:
        count: Number of architectures.
        tau: Kendall's tau-b, -1 to 1; NaN where either gives all the same value.
        low: Lower end of its 95 % interval, by the percentiles of a bootstrap; NaN like `tau`.
        high: Upper end.
        top: How many of the best were looked at, 5 or fewer.
        top_of: Of how many, as the truth ranks them: the best third, rounded up.
        top_found: How many of the best by the score are among the latter.
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
        """What `top_found` is on average for a score that knows nothing."""
        return self.top * self.top_of / self.count

    def __str__(self) -> str:
        if math.isnan(self.tau):
            return "no tau, for all are equal"
        return f"{self.tau:+.2f} ({self.low:+.2f} to {self.high:+.2f})"

    @property
    def meaning(self) -> str:
        """One sentence on what that says of the score."""
        if math.isnan(self.tau):
            return "The sample says nothing, for one of the two scores is the same for all."
        right = f"{50 * (1 + self.tau):.0f} of 100 pairs in the right order, tau {self}"
        if self.low > 0:
            return f"The shared score ranks better than chance: it puts {right}."
        if self.high < 0:
            return f"The shared score ranks worse than chance: it puts {right}."
        return (
            f"Whether the shared score ranks better than chance, {self.count} architectures do not "
            f"show: it puts {right}."
        )


def agreement(score: Sequence[float], truth: Sequence[float], *, seed: int) -> Agreement:
    """Compare two scores of the same architectures; of both, less is better.

    What is not a number counts as worst.

    Args:
        score: Of each architecture, at least 2.
        truth: In the same order.
        seed: Of the bootstrap; at least 0.

    Raises:
        ValueError: They are fewer than 2, or of unequal number.
    """
    if len(score) != len(truth) or len(score) < 2:
        raise ValueError(
            f"score and truth must be of the same architectures, at least 2; got {len(score)} and "
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
    known = [tau for tau in taus if not math.isnan(tau)]  # some draw one architecture alone
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
    # It takes a second to import, and few need it.
    from scipy.stats import kendalltau

    return float(kendalltau(one, other).statistic)
