"""A study as its workers follow it: its settings, its dead, and claims on its seats."""

from __future__ import annotations

import copy
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.dominance import best_first
from relativenas_optuna.samplers.seats.claims import (
    Claim,
    Seat,
)
from relativenas_optuna.samplers.seats.lease import needs_lease, now
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.samplers.seats.worker import this_worker
from relativenas_optuna.storages.interruption import fail

if TYPE_CHECKING:
    from optuna import Study

    from relativenas_optuna.samplers.relative_nas.settings import Arguments, Settings

STILLBORN_AGE = 600.0  # seconds; another sampler's trial may be as long without a parameter


class Following:
    """Follows one study for the trials of this process, and ends those of workers that are gone.

    Args:
        study: The study.
        asked: What the sampler was asked for.
    """

    def __init__(self, study: Study, asked: Arguments) -> None:
        self.replay = Replay()
        self._asked = asked
        self._agreed: Settings | None = None  # the last settings that were checked
        self._checked_heartbeats = time.monotonic()
        self._leased = needs_lease(study._storage)

    def claim(
        self, seat: Seat | None, settings: Settings | None, *, detached: bool = False
    ) -> Claim:
        """A claim of this process, or one that outlives it."""
        population = self.replay.population
        proposed = None if population is None or seat is None else population.fingerprint(seat)
        if detached:
            return Claim(seat, {}, settings, proposed=proposed)
        signed = now() if self._leased else None
        return Claim(seat, this_worker(), settings, signed, proposed)

    def look(self, study: Study, *, for_trial: int | None = None, fresh: bool = True) -> None:
        """Read what is new, and end the trials of workers that are gone.

        The trial `for_trial` is about to claim a seat.
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
        # What Optuna does for those that it finds itself.
        callback = storage.get_heartbeat_stale_trial_callback()
        if callback is None:
            return
        for trial_id in ended:
            callback(study, copy.deepcopy(storage.get_trial(trial_id)))
        if ended:
            self.replay.update(study)  # a retried copy waits with the seat

    def settings(self, study: Study) -> Settings:
        """The search's settings: those that the study has, or new ones.

        Raises:
            SettingsError: The sampler was asked for others.
        """
        begun = self.replay.settings
        if begun is None:
            new = self._asked.begin(secrets.randbits(32), len(study.directions))
            if self._asked.warm_start:
                new = replace(new, warm_start=_best_of(study, new.population_size))
            return new
        if begun is not self._agreed:
            self._asked.check_agrees_with(begun, study.study_name)
            self._agreed = begun
        return begun

    def carried_by(self, number: int, settings: Settings) -> Settings | None:
        """The settings that trial `number` has to carry, since no earlier one does."""
        carrier = self.replay.settings_from
        return None if carrier is not None and carrier < number else settings

    def _stale(self, storage: BaseHeartbeat, study_id: int) -> list[int]:
        """Running trials without a heartbeat; looked for no more often than hearts beat."""
        interval = storage.get_heartbeat_interval()
        if interval is None or time.monotonic() - self._checked_heartbeats < interval:
            return []
        self._checked_heartbeats = time.monotonic()
        return storage._get_stale_trial_ids(study_id)

    def _stillborn(self, but: int | None) -> list[int]:
        """Trials whose process died before it could sign them.

        Optuna makes a trial RUNNING a moment before its sampler hears of it. Where others write to
        the study too, an empty trial may be theirs.
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


def _best_of(study: Study, number: int) -> tuple[int, ...]:
    """Numbers of the best complete trials of others, at most `number`."""
    trials = [
        trial
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if Claim.read(trial.system_attrs) is None
    ]
    return tuple(trial.number for trial in best_first(trials, study.directions)[:number])
