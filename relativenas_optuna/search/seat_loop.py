"""The loop of a worker, which scores the seats of a study one after another."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from optuna.exceptions import StorageInternalError, TrialPruned, UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.interruption import fail, was_interrupted
from relativenas_optuna.storages.transactions import is_deleted

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.storages._heartbeat import BaseHeartbeatThread
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

    Objective = Callable[[optuna.Trial], float | Sequence[float]]

_IDLE = 0.2  # seconds until an idle worker asks again for a seat


def score_seats(
    study: optuna.Study,
    sampler: PopulationSampler,
    objective: Objective,
    *,
    generations: int,
    on_trial: Callable[[FrozenTrial], None] = lambda _: None,
    on_failure: Callable[[FrozenTrial, Exception], None] | None = None,
) -> None:
    """Score seats until all generations are scored, by this worker or by others.

    Under a sampler with pairs a worker takes both seats of a pair at once, so that no other worker
    trains the partner from different weights. Otherwise it takes one seat at a time. If other
    workers have all free seats, this worker waits.

    Like `study.optimize`, the loop sends heartbeats, fails a trial whose objective raises an error,
    and fails a trial whose loss is NaN. Another process may fail a trial of this worker because its
    heartbeats stopped (the worker was suspended, or the database was not reachable). Then the loop
    warns and continues with the next seats.

    Args:
        study: The study.
        sampler: Sampler of the study.
        objective: Function that takes a trial and returns its loss, or one loss per direction.
        generations: Number of generations to score.
        on_trial: Called with each trial of this worker that ended without an error.
        on_failure: Called with a trial and its error if the objective failed because of its
            architecture, which may for example need too much memory. The seat is then scored
            again; after three failures it counts as the slowest. None to raise the error instead.

    Raises:
        Exception: The error of the objective: without `on_failure`, if the trial was interrupted,
            or if two different seats fail in a row, because the architectures are then hardly the
            cause.
        KeyError: The study was deleted.
        ValueError: The objective did not return one number per direction.
    """
    tell = _Telling(on_trial, on_failure)
    while not _is_done(sampler.population(study), generations):
        if is_deleted(study):  # also if a newer study got its id
            raise KeyError(f"study {study.study_name!r} was deleted")
        trials = sampler.ask_seats(study, generations=generations)
        if trials:
            _score(study, trials, objective, tell)
        else:
            time.sleep(_IDLE)


class _Telling:
    """Calls the callbacks for ended trials; raises an error that no architecture causes."""

    def __init__(
        self,
        on_trial: Callable[[FrozenTrial], None],
        on_failure: Callable[[FrozenTrial, Exception], None] | None,
    ) -> None:
        self._on_trial, self._on_failure = on_trial, on_failure
        self._failing: Seat | None = None  # the last one, if its trial failed

    def __call__(self, told: FrozenTrial, error: Exception | None) -> None:
        if error is None:
            self._failing = None
            self._on_trial(told)
            return
        before, self._failing = self._failing, seat_of(told)
        systematic = before not in (None, self._failing)
        if self._on_failure is None or was_interrupted(told) or systematic:
            raise error
        self._on_failure(told, error)


def _is_done(population: Population | None, generations: int) -> bool:
    if population is None:
        return False
    seats = generations * population.settings.population_size
    return population.scored_seats(generations) >= seats


def _score(
    study: optuna.Study,
    trials: Sequence[optuna.Trial],
    objective: Objective,
    tell: _Telling,
) -> None:
    left = [trial._trial_id for trial in trials]
    hearts: list[BaseHeartbeatThread] = []
    try:
        try:
            for trial in trials:
                hearts.append(get_heartbeat_thread(trial._trial_id, study._storage))
                hearts[-1].start()
            for trial in trials:
                told, error = _told(study, trial, objective)
                left.remove(trial._trial_id)
                if told is None:
                    _warn_of_lost(trial)
                else:
                    tell(told, error)
        finally:
            _stop(hearts)
    finally:
        _stop(hearts)  # again, because Ctrl-C may have interrupted the first call
        # If trials are left, an error outside the objective is being raised. An error of `fail`
        # must not hide it: Ctrl-C within a statement can leave SQLite locked. Other workers notice
        # the end of this process anyway.
        with suppress(StorageInternalError):
            fail(study._storage, left)


def _stop(hearts: Sequence[BaseHeartbeatThread]) -> None:
    """Stop heartbeat threads, which would keep the process alive, even half-started ones."""
    for heart in hearts:
        with suppress(AssertionError, RuntimeError):  # there was no thread, or none that ran
            heart.join()


def _told(
    study: optuna.Study, trial: optuna.Trial, objective: Objective
) -> tuple[FrozenTrial | None, Exception | None]:
    """Score a trial, and report the result to the study.

    Returns:
        The ended trial, and the error that it ended with, if any. The trial is None if another
        process ended it meanwhile.
    """
    if _is_ended(study, trial):
        return None, None
    values, state, failure = None, TrialState.FAIL, None
    try:
        values = _values_of(objective(trial), study)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
    except TrialPruned:
        state = TrialState.PRUNED
    except Exception as error:
        # The objective has marked a failure that is not its fault as an interruption.
        failure = error
    if _is_ended(study, trial):
        return None, None
    try:
        return study.tell(trial, values, state), failure
    except (UpdateFinishedTrialError, ValueError):
        if _is_ended(study, trial):
            return None, None
        raise


def _is_ended(study: optuna.Study, trial: optuna.Trial) -> bool:
    return study._storage.get_trial(trial._trial_id).state.is_finished()


def _warn_of_lost(trial: optuna.Trial) -> None:
    warnings.warn(
        f"trial {trial.number} was ended by another process, which saw no sign of life of this "
        f"one for too long; its seat is scored again, and this worker goes on with the next one",
        stacklevel=4,
    )


def _values_of(losses: float | Sequence[float], study: optuna.Study) -> list[float] | None:
    """Return the values to report; None if the trial failed."""
    given = losses if isinstance(losses, Sequence) else [losses]
    try:
        values = [float(loss) for loss in given]
    except (TypeError, ValueError):
        values = []
    if len(values) != len(study.directions):
        raise ValueError(
            f"objective must return as many numbers as study {study.study_name!r} has directions, "
            f"{len(study.directions)}; got {losses!r}"
        )
    return None if any(map(math.isnan, values)) else values
