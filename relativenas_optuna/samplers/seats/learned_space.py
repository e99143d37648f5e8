"""The search space that is learned from a study's complete trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import equal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.seats.seat_score import SeatScore


@dataclass(frozen=True)
class LearnedSpace:
    """The parameters of all complete trials so far.

    A conditional parameter, which only some trials suggest, is included. A parameter that was
    suggested with several distributions is not.

    Attributes:
        has_trials: True if there was a complete trial.
    """

    has_trials: bool = False
    # None for a parameter that came with several distributions.
    _seen: Mapping[str, BaseDistribution | None] = field(default_factory=dict)

    def extended(self, seat_scores: Iterable[SeatScore]) -> LearnedSpace:
        """Return the space with the parameters of the complete trials among counted ones.

        Args:
            seat_scores: Scores of some seats.

        Returns:
            This space itself if nothing is new.
        """
        has_trials, seen = self.has_trials, dict(self._seen)
        for seat_score in seat_scores:
            trial = seat_score.counted
            if trial is None or trial.state != TrialState.COMPLETE:
                continue
            has_trials = True
            for name, distribution in trial.distributions.items():
                known = seen.setdefault(name, distribution)
                if known is not None and not equal(known, distribution):
                    seen[name] = None
        unchanged = has_trials == self.has_trials and len(seen) == len(self._seen)
        if unchanged and all(seen[name] is known for name, known in self._seen.items()):
            return self
        return LearnedSpace(has_trials, seen)

    def covers(self, name: str, distribution: BaseDistribution) -> bool:
        """Return True if a parameter is in the space, or joins it with its first complete trial."""
        known = self._seen.get(name, distribution)
        return known is not None and equal(known, distribution)

    @cached_property
    def encoding(self) -> Encoding:
        """Encoding of the space, with its names sorted."""
        space = {n: d for n, d in sorted(self._seen.items()) if d is not None}
        return Encoding.of(space)
