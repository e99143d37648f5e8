"""Score of a seat, from the trials of that seat."""

from __future__ import annotations

from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.storages.interruption import was_interrupted

MAX_FAILURES = 3  # of the objective itself at one seat; then the seat counts as the worst


@dataclass
class SeatScore:
    """The finished trials of one seat.

    Attributes:
        counted: The complete or pruned trial that finished first, by the storage's time and then
            by number; None without one.
        failures: Trials in which the objective itself failed.
    """

    counted: FrozenTrial | None = None
    failures: list[FrozenTrial] = field(default_factory=list)

    @property
    def scored(self) -> bool:
        """True if the seat needs no further trial."""
        return self.counted is not None or len(self.failures) >= MAX_FAILURES

    @property
    def scored_trial(self) -> FrozenTrial | None:
        """Trial with the parameters that were scored; None while the seat is not scored."""
        if self.counted is None and self.scored:
            return min(self.failures, key=_finish)
        return self.counted

    @property
    def text(self) -> str:
        """Parameters, state and values of the scored trial as text, for digests."""
        trial = self.scored_trial
        if trial is None:
            return ""
        return repr([sorted(trial.params.items()), trial.state.name, trial.values])

    def add(self, trial: FrozenTrial) -> bool:
        """Count in a finished trial.

        Returns:
            True if another trial gives the seat's score now.
        """
        before = self.scored_trial
        if trial.state != TrialState.FAIL:
            if self.counted is None or _finish(trial) < _finish(self.counted):
                self.counted = trial
        elif not was_interrupted(trial):
            self.failures.append(trial)
        return self.scored_trial is not before


def _finish(trial: FrozenTrial) -> tuple[float, int]:
    assert trial.datetime_complete is not None
    # Local times are ambiguous in the hour that comes twice when summer time ends.
    return trial.datetime_complete.timestamp(), trial.number
