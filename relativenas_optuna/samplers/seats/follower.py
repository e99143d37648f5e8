"""Follow a study: agree with its settings, and fail the trials of workers that are gone."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING

from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.lease import needs_lease, now
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.samplers.seats.trial_reader import TrialReader
from relativenas_optuna.samplers.seats.worker import this_worker
from relativenas_optuna.storages.interruption import fail

if TYPE_CHECKING:
    from optuna import Study

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.settings import PopulationArguments

STILLBORN_AGE = 600.0  # seconds; another sampler's trial may be as long without a parameter


class Follower:
    """Follower of one study, which reads its trials and fails those of workers that are gone.

    Args:
        study: The study.
        arguments: Arguments of the sampler.
        population_class: Class of the sampler's populations.

    Attributes:
        replay: The state of the study.
    """

    def __init__(
        self, study: Study, arguments: PopulationArguments, population_class: type[Population]
    ) -> None:
        self.replay = Replay(arguments)
        self._arguments = arguments
        self._population_class = population_class
        self._agreed: Population | None = None  # the last one whose settings were checked
        self._checked_heartbeats = time.monotonic()
        self._leased = needs_lease(study._storage)

    def claim(
        self, seat: Seat | None, carried: Population | None = None, *, detached: bool = False
    ) -> Claim:
        """Return a claim of this process on a seat.

        Args:
            seat: The seat; None for an extra trial.
            carried: Population whose settings the claim carries, see `carried_by`.
            detached: True if any process may run the trial or report its result.
        """
        population = self.replay.population
        return Claim(
            seat,
            {} if detached else this_worker(),
            self._population_class.sampler,
            settings=None if carried is None else carried.settings.to_json(),
            signed=now() if self._leased and not detached else None,
            proposed=None if population is None or seat is None else population.fingerprint(seat),
        )

    def look(self, study: Study, *, for_trial: int | None = None, fresh: bool = True) -> None:
        """Read what is new in the study, and fail the trials of workers that are gone.

        Args:
            study: The study.
            for_trial: Number of the trial that is about to claim a seat.
            fresh: True to read the database now, see `TrialReader`.
        """
        storage = study._storage
        self.replay.update(study, fresh=fresh)
        fail(storage, self._stillborn(for_trial))
        if not is_heartbeat_enabled(storage):
            fail(storage, self.replay.dead)
            return
        assert isinstance(storage, BaseHeartbeat)
        stale = self._stale(storage, study._study_id)
        ended = fail(storage, dict.fromkeys([*self.replay.dead, *stale]))
        # Optuna does the same for the stale trials that it finds.
        callback = storage.get_heartbeat_stale_trial_callback()
        if callback is None:
            return
        for trial_id in ended:
            callback(study, copy.deepcopy(storage.get_trial(trial_id)))
        if ended:
            self.replay.update(study)  # a retried copy waits with the seat

    def population(self, study: Study) -> Population:
        """Return the population of the study, or the one with which the study starts now.

        Raises:
            SettingsError: The study was started by another sampler, or with other arguments.
        """
        started = self.replay.population
        if started is None:
            self._arguments.check_limits()
            settings = self._arguments.new_settings(study)
            trials = TrialReader(study, fresh=False)
            return self._population_class.starting(settings, study.directions, trials)
        if started is not self._agreed:
            if started.sampler != self._population_class.sampler:
                raise SettingsError(
                    f"study {study.study_name!r} was started by {started.sampler}, not by "
                    f"{self._population_class.sampler}: use that sampler, or take a new study"
                )
            self._arguments.check_agrees_with(started.settings, study.study_name)
            self._agreed = started
        return started

    def carried_by(self, number: int, population: Population) -> Population | None:
        """Return the population if trial `number` has to carry its settings, else None.

        A trial carries the settings while no trial with a lower number does.
        """
        carrier = self.replay.settings_from
        return None if carrier is not None and carrier < number else population

    def _stale(self, storage: BaseHeartbeat, study_id: int) -> list[int]:
        """Return ids of running trials without a heartbeat, at most once per heartbeat interval."""
        interval = storage.get_heartbeat_interval()
        if interval is None or time.monotonic() - self._checked_heartbeats < interval:
            return []
        self._checked_heartbeats = time.monotonic()
        return storage._get_stale_trial_ids(study_id)

    def _stillborn(self, but: int | None) -> list[int]:
        """Return ids of trials whose process died before it could claim a seat.

        Optuna creates a RUNNING trial a moment before it calls the sampler. If other samplers write
        to the study too, an empty trial may belong to one of them, and none is returned.
        """
        if self.replay.others or not self.replay.unsigned:
            return []
        return [
            trial._trial_id
            for trial in self.replay.unsigned
            if trial.number != but
            and not trial.intermediate_values
            and self.replay.age(trial) > STILLBORN_AGE
        ]
