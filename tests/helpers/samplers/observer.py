"""Decide from the raw attributes of trials which workers are gone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.samplers.seats.lease import LEASE

Place = tuple[int, int]  # generation, seat

CLAIM, RESERVED = "population:claim", "population:reserved"
SIGN = "population:lease"


def claim_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the data of a trial's claim; empty if there is none."""
    claim: dict[str, Any] = json.loads(trial.system_attrs.get(CLAIM, "{}"))
    return claim


def place_of(trial: FrozenTrial) -> Place | None:
    """Return the seat that a trial claims; None without a claim and for an extra trial."""
    claim = claim_of(trial)
    return (claim["generation"], claim["seat"]) if "seat" in claim else None


@dataclass(frozen=True)
class Observer:
    """A machine that judges which workers are gone, by its process table and a clock.

    Attributes:
        machine: Name of the machine.
        pids: Ids of the processes that run, on any machine.
        clock: Seconds since 1970.
        started: Start times of trials by id.
    """

    machine: str
    pids: set[int]
    clock: float
    started: dict[int, float] = field(default_factory=dict)

    def is_dead(self, who: dict[str, Any]) -> bool:
        """Return True if the process table shows that a worker is gone."""
        return who.get("machine") == self.machine and who["pid"] not in self.pids

    def is_gone(self, trial: FrozenTrial) -> bool:
        """Return True if a trial's worker is gone, by the process table or by its lease."""
        claim = claim_of(trial)
        who = claim.get("worker", {})
        if not who or who["machine"] == self.machine:
            return self.is_dead(who)
        signs = [trial.system_attrs.get(SIGN), claim.get("signed")]
        given = [sign for sign in signs if sign is not None]
        return bool(given) and self.clock - max(given) > LEASE

    def is_unsigned(self, trial: FrozenTrial) -> bool:
        """Return True if a trial runs and has no claim."""
        running = trial.state == TrialState.RUNNING
        return running and CLAIM not in trial.system_attrs and not trial.params

    def age(self, trial: FrozenTrial) -> float:
        """Return the seconds since a trial started."""
        return self.clock - self.started.get(trial._trial_id, self.clock)
