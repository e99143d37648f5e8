"""Who can see that a worker is gone; from the raw attributes of its trials."""

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
    """The claim of a trial; empty if there is none."""
    claim: dict[str, Any] = json.loads(trial.system_attrs.get(CLAIM, "{}"))
    return claim


def place_of(trial: FrozenTrial) -> Place | None:
    """The seat that a trial claims; `None` for an extra trial too."""
    claim = claim_of(trial)
    return (claim["generation"], claim["seat"]) if "seat" in claim else None


@dataclass(frozen=True)
class Observer:
    """Who judges which workers are gone: the processes of a machine, and a clock.

    Attributes:
        machine: Its own.
        pids: The processes that run, on any machine.
        clock: Seconds since 1970.
        begun: When trials began to run, by id.
    """

    machine: str
    pids: set[int]
    clock: float
    begun: dict[int, float] = field(default_factory=dict)

    def is_dead(self, who: dict[str, Any]) -> bool:
        """Whether the process table says that a worker is gone."""
        return who.get("machine") == self.machine and who["pid"] not in self.pids

    def is_gone(self, trial: FrozenTrial) -> bool:
        """Whether a running trial's worker is gone, by the process table or by its lease."""
        claim = claim_of(trial)
        who = claim.get("worker", {})
        if not who or who["machine"] == self.machine:
            return self.is_dead(who)
        signs = [trial.system_attrs.get(SIGN), claim.get("signed")]
        given = [sign for sign in signs if sign is not None]
        return bool(given) and self.clock - max(given) > LEASE

    def is_unsigned(self, trial: FrozenTrial) -> bool:
        """Whether a trial runs and nobody says that it is his."""
        running = trial.state == TrialState.RUNNING
        return running and CLAIM not in trial.system_attrs and not trial.params

    def age(self, trial: FrozenTrial) -> float:
        """Seconds since a trial began to run."""
        return self.clock - self.begun.get(trial._trial_id, self.clock)
