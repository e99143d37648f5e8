"""What a worker does: it scores the pairs of a study, one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from optuna.exceptions import StorageInternalError, TrialPruned
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState

from relativenas_optuna.samplers.interruption import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.population import Population
    from relativenas_optuna.samplers.relative_nas import RelativeNASSampler

    Objective = Callable[[optuna.Trial], float | Sequence[float]]

_IDLE = 0.2  # seconds until a worker looks again that had nothing to do


def score_pairs(
    study: optuna.Study,
    sampler: RelativeNASSampler,
    objective: Objective,
    *,
    generations: int,
    on_trial: Callable[[FrozenTrial], None] = lambda _: None,
) -> None:
    """Score pairs until so many generations are scored, by this worker or by others.

    Both trials of a pair are this worker's from the beginning, so that nobody else trains the
    partner from other weights. Where all seats that can be scored are others' it waits for one.
    What `study.optimize` does for a trial is done here for two: signs of life, the end of a trial
    with an error, and the failure of one whose loss is not a number.

    Args:
        study: The study.
        sampler: Of the study.
        objective: Trial -> loss, or losses.
        generations: How many are to be scored.
        on_trial: Called after each trial of this worker.

    Raises:
        ValueError: The objective returned something else than a number for each direction.
    """
    while not _is_done(sampler.population(study), generations):
        trials = sampler.ask_pair(study, generations=generations)
        if trials:
            _score(study, trials, objective, on_trial)
        else:
            time.sleep(_IDLE)


def _is_done(population: Population | None, generations: int) -> bool:
    if population is None:
        return False
    seats = generations * population.settings.population_size
    return population.scored_seats(generations) >= seats


def _score(
    study: optuna.Study,
    trials: Sequence[optuna.Trial],
    objective: Objective,
    on_trial: Callable[[FrozenTrial], None],
) -> None:
    left = [trial._trial_id for trial in trials]
    try:
        with ExitStack() as stack:
            for trial in trials:
                heart = get_heartbeat_thread(trial._trial_id, study._storage)
                heart.start()
                stack.callback(heart.join)
            for trial in trials:
                told = _told(study, trial, objective)
                left.remove(trial._trial_id)
                on_trial(told)
    finally:
        # There was an error that is not the objective's, and it is the one to be heard of: Ctrl-C
        # within a statement can leave SQLite locked. Who ends is known to be dead without a word.
        with suppress(StorageInternalError):
            fail(study._storage, left)


def _told(study: optuna.Study, trial: optuna.Trial, objective: Objective) -> FrozenTrial:
    values, state = None, TrialState.FAIL
    try:
        values = _values_of(objective(trial), study)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
    except TrialPruned:
        state = TrialState.PRUNED
    except Exception:
        # A failure that is not the objective's fault it has marked as such.
        study.tell(trial, None, state, skip_if_finished=True)
        raise
    return study.tell(trial, values, state, skip_if_finished=True)


def _values_of(losses: float | Sequence[float], study: optuna.Study) -> list[float] | None:
    """What the study is told; `None` where the trial failed."""
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
