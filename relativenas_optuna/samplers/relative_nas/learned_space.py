"""The search space that is learned from a study's complete trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import equal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.seats.seat_score import SeatScore


class LearnedSpace:
    """The parameters of all complete trials so far.

    A conditional parameter, which only some trials suggest, is included. A parameter that was
    suggested with several distributions is not.

    Attributes:
        has_trials: True if a complete trial was added.
    """

    def __init__(self) -> None:
        self.has_trials = False
        self._seen: dict[str, BaseDistribution | None] = {}  # None: several distributions

    def add(self, seat_scores: Iterable[SeatScore]) -> None:
        """Add the parameters of the complete trials among the counted trials of some seats."""
        for seat_score in seat_scores:
            trial = seat_score.counted
            if trial is None or trial.state != TrialState.COMPLETE:
                continue
            self.has_trials = True
            for name, distribution in trial.distributions.items():
                known = self._seen.setdefault(name, distribution)
                if known is not None and not equal(known, distribution):
                    self._seen[name] = None

    def covers(self, name: str, distribution: BaseDistribution) -> bool:
        """Return True if a parameter is in the space, or joins it with its first complete trial."""
        known = self._seen.get(name, distribution)
        return known is not None and equal(known, distribution)

    def encoding(self) -> Encoding:
        """Return the encoding of the space, with its names sorted."""
        space = {n: d for n, d in sorted(self._seen.items()) if d is not None}
        return Encoding.of(space)
