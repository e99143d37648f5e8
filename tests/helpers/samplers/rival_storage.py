"""A storage in which another trial claims a seat first."""

from __future__ import annotations

from typing import Any

from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, Claim, Seat
from relativenas_optuna.samplers.seats.worker import this_worker


class RivalStorage(InMemoryStorage):
    """A storage in which a rival claims a seat just before the next claim arrives.

    Attributes:
        rival: Id of the rival's trial; None without a rival.
        finishes: True if the rival scores the seat at once.
    """

    rival: int | None = None
    finishes: bool = False

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        if key == CLAIM_KEY and self.rival is not None:
            rival, self.rival = self.rival, None
            Claim(Seat(0, 2), this_worker(), "RelativeNASSampler").write(self, rival)
            if self.finishes:
                self.set_trial_state_values(rival, TrialState.COMPLETE, [0.0])
        super().set_trial_system_attr(trial_id, key, value)
