"""What a worker does: it scores the pairs of a study, one after the other."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from optuna.exceptions import TrialPruned
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState

from relativenas_optuna.samplers.interruption import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    """
    while not _is_done(sampler.population(study), generations):
        trials = sampler.ask_pair(study, generations=generations)
        if not trials:
            time.sleep(_IDLE)
            continue
        with ExitStack() as stack:
            for trial in trials:
                heart = get_heartbeat_thread(trial._trial_id, study._storage)
                heart.start()
                stack.callback(heart.join)
            _score(study, trials, objective, on_trial)


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
        for trial in trials:
            left.remove(trial._trial_id)
            values, state = None, TrialState.FAIL
            try:
                values, state = _values_of(objective(trial))
            except TrialPruned:
                state = TrialState.PRUNED
            finally:
                # A failure that is not the objective's fault it has marked as such.
                told = study.tell(trial, values, state, skip_if_finished=True)
            on_trial(told)
    finally:
        fail(study._storage, left)  # which were not begun, for there was an error


def _values_of(losses: float | Sequence[float]) -> tuple[Sequence[float] | None, TrialState]:
    values = [losses] if isinstance(losses, float | int) else list(losses)
    if any(map(math.isnan, values)):
        return None, TrialState.FAIL
    return values, TrialState.COMPLETE
