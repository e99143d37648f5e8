"""How a trial takes a seat among any number of workers, without waiting."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.extra_trials import Extras
from relativenas_optuna.samplers.seats.claiming import claiming
from relativenas_optuna.samplers.seats.claims import Claim, Seat, retries_of
from relativenas_optuna.samplers.seats.follower import Following
from relativenas_optuna.samplers.seats.lease import LeaseKeeper
from relativenas_optuna.samplers.seats.worker import this_worker

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.relative_nas.settings import Arguments


class Seating(Following):
    """Takes seats of one study for the trials of this process.

    Args:
        study: The study.
        asked: What the sampler was asked for.
    """

    def __init__(self, study: Study, asked: Arguments) -> None:
        super().__init__(study, asked)
        self._lease: LeaseKeeper | None = None
        if self._leased:
            self._lease = LeaseKeeper(study._storage, lambda: list(self._ids.values()))
        self._ids: dict[int, int] = {}
        self.extras = Extras(self.replay)
        self._claiming = claiming(self, study._storage)

    def take(self, study: Study, trial: FrozenTrial, claim: Claim | None) -> Seat | None:
        """Return the seat of a running trial; `None` for an extra one.

        `claim` is what the storage has of it; `None` where it is to claim a seat now.
        """
        if claim is None:
            seat, leased = self._claiming.claim(study, trial), True
        else:
            seat = claim.seat
            strange = trial.number not in self.replay.own and claim.worker != this_worker()
            if strange and trial.state == TrialState.RUNNING:
                # It waited with its seat, as a retried trial of a dead worker does.
                # A process that has not read the study yet cannot tell what was proposed.
                taken = replace(self.claim(seat, claim.settings), proposed=claim.proposed)
                taken.write(study._storage, trial._trial_id, retries_of(trial.system_attrs))
            leased = strange or claim.worker == this_worker()
        if trial.state == TrialState.RUNNING:
            self.runs(trial.number, trial._trial_id, seat, leased=leased)
        return seat

    def runs(self, number: int, trial_id: int, seat: Seat | None, *, leased: bool) -> None:
        """Note that this process runs a trial, and whether it is to say so again and again."""
        own = self.replay.own
        own[number] = seat
        self._ids = {n: i for n, i in self._ids.items() if n in own}
        if leased and self._lease is not None:
            self._ids[number] = trial_id
            self._lease.begin(trial_id)
