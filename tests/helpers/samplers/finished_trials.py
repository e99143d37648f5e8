"""Finished trials, and the seat scores that they make."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.seats.seat_score import MAX_FAILURES, SeatScore
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
START = datetime(2021, 7, 1)


def ended(
    state: TrialState,
    value: float | None = None,
    *,
    number: int = 0,
    second: int = 0,
    reports: dict[int, float] | None = None,
    interrupted: bool = False,
    values: Sequence[float] | None = None,
    constraints: Mapping[str, float] | None = None,
) -> FrozenTrial:
    """Return a finished trial of a seat, which ended `second` seconds after the start."""
    trial = FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=value,
        values=values,
        datetime_start=START,
        datetime_complete=START + timedelta(seconds=second),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={INTERRUPTED_KEY: f"trial {number}"} if interrupted else {},
        intermediate_values=reports or {},
    )
    for name, excess in (constraints or {}).items():
        trial.set_constraint(name, excess)
    return trial


def seat_score(*trials: FrozenTrial) -> SeatScore:
    """Return the score of a seat with these trials."""
    filled = SeatScore()
    for trial in trials:
        filled.add(trial)
    return filled


def complete(*values: float, **constraints: float) -> SeatScore:
    """Return a seat with a complete trial."""
    return seat_score(ended(COMPLETE, values=values, constraints=constraints))


def pruned(**reports: float) -> SeatScore:
    """Return a seat with a pruned trial that reported at steps s0, s1, ..."""
    return seat_score(
        ended(PRUNED, reports={int(step[1:]): loss for step, loss in reports.items()})
    )


def failed() -> SeatScore:
    """Return a seat whose objective always failed."""
    return seat_score(*(ended(FAIL, number=n) for n in range(MAX_FAILURES)))
