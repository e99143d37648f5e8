"""RelativeNASSampler: slow-fast learning as a sampler of Optuna."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from relativenas_optuna.samplers.claims import Claim, Seat, announce, mark_interrupted
from relativenas_optuna.samplers.draws import uniform
from relativenas_optuna.samplers.encoding import decode, interval
from relativenas_optuna.samplers.replay import Replay
from relativenas_optuna.samplers.settings import Settings, SettingsError
from relativenas_optuna.samplers.worker import this_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.generations import Population


class RelativeNASSampler(BaseSampler):
    """A population in which, pair by pair, the slow learner moves toward the fast one.

    Every trial scores one seat of one generation. The seats 2k and 2k + 1 of a generation are a
    pair; the one with the better value is its fast learner, which stays, and the other moves
    toward it (`slow_fast.learn`). Every member is scored anew in every generation.

    The study is the only state: any process can go on with any study at any moment, with the
    population that an uninterrupted one would have had. A failed trial frees its seat; a seat
    whose objective failed three times counts as slowest.

    Example:
        >>> import optuna
        >>> from relativenas_optuna import RelativeNASSampler
        >>> sampler = RelativeNASSampler(population_size=4, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=40)
        >>> study.best_value < 0.1
        True

    Args:
        search_space: Names and distributions of the parameters, if known beforehand. A pair then
            moves on as soon as it is scored, and with `preset="paper"` the random numbers are
            those of the published code. Without it the first generation is random, and a later
            one has the parameters that all complete trials before it share.
        population_size: Members per generation, even and at least 2.
        seed: From 0 to 2**32 - 1. `None` takes the seed of the study, or a random one if it is
            new.
        preset: "paper", the algorithm as published.

    Raises:
        SettingsError: A `ValueError`, where an argument is out of range; and when a trial is
            asked for in a study that was begun with other arguments. That trial fails.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        population_size: int = 20,
        seed: int | None = None,
        preset: str = "paper",
    ) -> None:
        space = dict(search_space) if isinstance(search_space, Mapping) else search_space
        # NumPy's whole numbers are taken too, but would not travel as JSON.
        if isinstance(population_size, np.integer):
            population_size = int(population_size)
        if isinstance(seed, np.integer):
            seed = int(seed)
        self._asked = Settings(population_size, seed, preset, space)
        self._begin_following()

    def _begin_following(self) -> None:
        # Nothing in here outlives the object: it is read anew from the storage where it is missing.
        self._lock = threading.RLock()
        self._replays: WeakKeyDictionary[BaseStorage, dict[int, Replay]] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {"_asked": self._asked}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin_following()

    def population(self, study: Study) -> Population | None:
        """The generations of a study as they stand now; `None` before its first trial."""
        with self._lock:
            replay = self._replay(study)
            replay.update(study)
            return replay.population

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Claim a seat, unless the trial has one."""
        with self._lock, _failed_on_error(study, trial):
            self._replay(study).own.pop(trial.number, None)  # of a deleted study with the same id
            self._seat(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters that the seat's position has variables for."""
        with self._lock:
            encoding, _ = self._proposal(study, self._seat(study, trial))
            return dict(encoding.space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters that the seat's position decodes to."""
        if not search_space:
            return {}
        with self._lock:
            seat = self._seat(study, trial)
            encoding, position = self._proposal(study, seat)
            proposed = encoding.decode(position)
            return {
                name: proposed[name]
                if encoding.space.get(name) == distribution
                else self._draw(study, seat, name, distribution)
                for name, distribution in search_space.items()
            }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A uniform draw that depends on seed, generation, seat and parameter name alone."""
        with self._lock:
            seat = self._seat(study, trial)
            return self._draw(study, seat, param_name, param_distribution)

    def _replay(self, study: Study) -> Replay:
        replays = self._replays.setdefault(study._storage, {})
        if study._study_id not in replays:
            if len(study.directions) != 1:
                raise SettingsError(
                    f"RelativeNASSampler takes a study with one direction; study "
                    f"{study.study_name!r} has {len(study.directions)}: take a new study"
                )
            replays[study._study_id] = Replay(study)
        return replays[study._study_id]

    def _seat(self, study: Study, trial: FrozenTrial) -> Seat:
        replay = self._replay(study)
        if trial.number not in replay.own:
            claim = Claim.read(study._storage.get_trial_system_attrs(trial._trial_id))
            replay.own[trial.number] = self._claim(study, trial) if claim is None else claim.seat
            running = trial.state == TrialState.RUNNING
            if claim is not None and claim.worker != this_worker() and running:
                # It waited with its seat, as a retried trial of a dead worker does.
                replace(claim, worker=this_worker()).write(study._storage, trial._trial_id)
        return replay.own[trial.number]

    def _claim(self, study: Study, trial: FrozenTrial) -> Seat:
        storage, replay = study._storage, self._replay(study)
        announce(storage, trial._trial_id)
        replay.update(study)
        _retire(storage, replay.dead)
        while True:
            settings = self._settings(study, replay)
            carried = replay.settings_from is not None and replay.settings_from < trial.number
            seat = replay.seat_for(trial.number, settings.population_size)
            claim = Claim(seat, this_worker(), None if carried else settings)
            claim.write(storage, trial._trial_id)
            alone = replay.ahead(trial.number) == 0
            if alone and replay.settings is not None:
                return seat
            replay.update(study)
            if alone or not replay.claimed_before(trial.number, seat):
                return seat

    def _settings(self, study: Study, replay: Replay) -> Settings:
        if replay.settings is None:
            seed = self._asked.seed
            return replace(self._asked, seed=secrets.randbits(32) if seed is None else seed)
        self._asked.check_agrees_with(replay.settings, study.study_name)
        return replay.settings

    def _proposal(self, study: Study, seat: Seat) -> tuple[Encoding, NDArray[np.float64]]:
        replay = self._replay(study)
        proposal = None if replay.population is None else replay.population.proposal(seat)
        if proposal is None:  # claimed by another process
            replay.update(study)
            assert replay.population is not None
            proposal = replay.population.proposal(seat)
        if proposal is None:
            raise SettingsError(
                f"study {study.study_name!r} has a trial at seat {seat.number} of generation "
                f"{seat.generation}, which cannot have been given out yet; were its trials copied "
                f"from another study? Take a new study"
            )
        return proposal

    def _draw(self, study: Study, seat: Seat, name: str, distribution: BaseDistribution) -> Any:
        replay = self._replay(study)
        if replay.population is None:
            replay.update(study)
        assert replay.population is not None
        low, high = interval(distribution)
        draw = uniform(replay.population.seed, seat.generation, seat.number, name)
        return decode(distribution, low + draw * (high - low))


@contextmanager
def _failed_on_error(study: Study, trial: FrozenTrial) -> Iterator[None]:
    """Leave no trial RUNNING that was refused."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        _retire(study._storage, [trial._trial_id])
        raise


def _retire(storage: BaseStorage, trial_ids: list[int]) -> None:
    """Fail trials for no fault of the objective's, so that none stays RUNNING for ever."""
    for trial_id in trial_ids:
        try:
            mark_interrupted(storage, trial_id)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            continue  # another process was quicker
