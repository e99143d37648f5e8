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
        counted: The trial that counts: of the complete and pruned ones that which finished first,
            by the storage's time and then by number.
        failures: The trials in which the objective itself failed.
    """

    counted: FrozenTrial | None = None
    failures: list[FrozenTrial] = field(default_factory=list)

    @property
    def scored(self) -> bool:
        """Whether the seat needs no further trial."""
        return self.counted is not None or len(self.failures) >= MAX_FAILURES

    @property
    def scored_trial(self) -> FrozenTrial | None:
        """The trial that shows what was really scored at a scored seat."""
        if self.counted is None and self.scored:
            return min(self.failures, key=_finish)
        return self.counted

    @property
    def said(self) -> str:
        """What a later score would change: parameters, state and values of what was scored."""
        trial = self.scored_trial
        if trial is None:
            return ""
        return repr([sorted(trial.params.items()), trial.state.name, trial.values])

    def add(self, trial: FrozenTrial) -> bool:
        """Count a finished trial in; returns whether the seat's score is another one now."""
        before = self.scored_trial
        if trial.state != TrialState.FAIL:
            if self.counted is None or _finish(trial) < _finish(self.counted):
                self.counted = trial
        elif not was_interrupted(trial):
            self.failures.append(trial)
        return self.scored_trial is not before


def _finish(trial: FrozenTrial) -> tuple[float, int]:
    assert trial.datetime_complete is not None
    # Local times without a zone are not in order in the hour that comes twice.
    return trial.datetime_complete.timestamp(), trial.number
