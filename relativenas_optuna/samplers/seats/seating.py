"""Give the trials of this process their seats, without waiting for other workers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claiming import claimer_for
from relativenas_optuna.samplers.seats.claims import retries_of
from relativenas_optuna.samplers.seats.follower import Follower
from relativenas_optuna.samplers.seats.lease import LeaseKeeper
from relativenas_optuna.samplers.seats.proposals import Proposals
from relativenas_optuna.samplers.seats.worker import this_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna import Study
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Claim, Seat
    from relativenas_optuna.samplers.seats.population import ExtraProposals, Population
    from relativenas_optuna.samplers.seats.replay import Replay
    from relativenas_optuna.samplers.seats.settings import PopulationArguments


class Seating(Follower):
    """Assignment of seats of one study to the trials of this process.

    Args:
        study: The study.
        arguments: Arguments of the sampler.
        population_class: Class of the sampler's populations.
        extras: Function that returns the proposals for extra trials, or None if the sampler makes
            no extra trials.

    Attributes:
        proposals: Proposals for the trials of this process.
    """

    def __init__(
        self,
        study: Study,
        arguments: PopulationArguments,
        population_class: type[Population],
        extras: Callable[[Replay], ExtraProposals | None] = lambda _: None,
    ) -> None:
        super().__init__(study, arguments, population_class)
        self._lease: LeaseKeeper | None = None
        if self._leased:
            self._lease = LeaseKeeper(study._storage, lambda: list(self._ids.values()))
        self._ids: dict[int, int] = {}
        self._claimer = claimer_for(self, study._storage)
        self.proposals = Proposals(self.replay, extras(self.replay))

    def take(self, study: Study, trial: FrozenTrial, claim: Claim | None) -> Seat | None:
        """Return the seat of a running trial; None for an extra trial.

        Args:
            study: The study.
            trial: The trial.
            claim: The trial's stored claim; None if the trial has to claim a seat now.
        """
        if claim is None:
            seat, leased = self._claimer.claim(study, trial), True
        else:
            seat = claim.seat
            strange = trial.number not in self.replay.own and claim.worker != this_worker()
            if strange and trial.state == TrialState.RUNNING:
                # The trial waited with its seat, as a retried trial of a dead worker does.
                # A process that has not read the study yet does not know the proposal.
                taken = replace(claim, worker=this_worker(), signed=self.claim(seat).signed)
                taken.write(study._storage, trial._trial_id, retries_of(trial.system_attrs))
            leased = strange or claim.worker == this_worker()
        if trial.state == TrialState.RUNNING:
            self.runs(trial.number, trial._trial_id, seat, leased=leased)
        return seat

    def runs(self, number: int, trial_id: int, seat: Seat | None, *, leased: bool) -> None:
        """Note that this process runs a trial.

        Args:
            number: Number of the trial.
            trial_id: Id of the trial.
            seat: Seat of the trial; None for an extra trial.
            leased: True if this process writes signs of life for the trial.
        """
        own = self.replay.own
        own[number] = seat
        self._ids = {n: i for n, i in self._ids.items() if n in own}
        if leased and self._lease is not None:
            self._ids[number] = trial_id
            self._lease.begin(trial_id)
