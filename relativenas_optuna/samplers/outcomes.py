"""What a seat's trials say: its score, and who of a pair is the fast learner."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.claims import INTERRUPTED_KEY

if TYPE_CHECKING:
    from datetime import datetime

MAX_FAILURES = 3  # of the objective itself at one seat; then the seat counts as slowest


@dataclass
class Tally:
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

    def add(self, trial: FrozenTrial) -> bool:
        """Count a finished trial in; returns whether the seat's score is another one now."""
        before = self.scored_trial
        if trial.state != TrialState.FAIL:
            if self.counted is None or _finish(trial) < _finish(self.counted):
                self.counted = trial
        elif INTERRUPTED_KEY not in trial.system_attrs:
            self.failures.append(trial)
        return self.scored_trial is not before


def first_is_fast(first: Tally, second: Tally, *, maximize: bool) -> bool:
    """Whether the first of a scored pair is the fast learner, which it is in a tie.

    A complete trial is faster than a pruned one, and that than a seat whose objective always
    failed. Two complete ones compare by value, two pruned ones by what they reported at the last
    step that both reached.
    """
    if first.counted is None or second.counted is None:
        return second.counted is None
    if first.counted.state != second.counted.state:
        return first.counted.state == TrialState.COMPLETE
    if first.counted.state == TrialState.COMPLETE:
        loss, other = first.counted.value, second.counted.value
    else:
        steps = first.counted.intermediate_values.keys() & second.counted.intermediate_values.keys()
        if not steps:
            return True
        loss = first.counted.intermediate_values[max(steps)]
        other = second.counted.intermediate_values[max(steps)]
    return _loss(loss, maximize=maximize) <= _loss(other, maximize=maximize)


def _finish(trial: FrozenTrial) -> tuple[datetime, int]:
    assert trial.datetime_complete is not None
    return trial.datetime_complete, trial.number


def _loss(value: float | None, *, maximize: bool) -> float:
    if value is None or math.isnan(value):
        return math.inf
    return -value if maximize else value
