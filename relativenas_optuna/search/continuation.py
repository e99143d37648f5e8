"""Checks of the study and the places of a search that a process continues or joins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from relativenas_optuna.exceptions import DataError, SearchError
from relativenas_optuna.objective.checkpoints.location import checkpoint_at
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.training.data.data_names import is_missing

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.search.plan import SearchPlan


def newest_seat(study: optuna.Study, plan: SearchPlan) -> Seat | None:
    """Return the last seat that has a score in a study; None if no seat has one.

    Raises:
        SearchError: The study has scores of more generations than planned.
    """
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    newest = max((seat for trial in trials if (seat := seat_of(trial))), default=None)
    if newest is not None and newest.generation >= plan.settings.generations:
        raise SearchError(
            f"generations must be at least {newest.generation + 1}, for study "
            f"{study.study_name!r} has scores of that many; got {plan.settings.generations}"
        )
    return newest


def check_places(study: optuna.Study, plan: SearchPlan, *, stored: bool, leads: bool) -> None:
    """Raise if the images or the weights of a started search are not where its plan says.

    Args:
        study: Study of the search.
        plan: Plan of the search.
        stored: True if the study has a plan already.
        leads: False in a worker that joins a search.

    Raises:
        DataError: The folder of the images is missing.
        SearchError: The folder of the weights is missing.
    """
    if stored and is_missing(plan.data):
        raise DataError(
            f"the images of study {study.study_name!r} are not in {plan.data!r} any more, or "
            f"not on this machine: say with --data where they are now"
        )
    if not leads and "://" not in plan.place and not Path(plan.place).is_dir():
        raise SearchError(
            f"the weights of study {study.study_name!r} are not in {plan.place!r}, or not on "
            f"this machine: say with --out or --weights where they are"
        )


def checkpoint_of(
    study: optuna.Study, plan: SearchPlan, *, has_scores: bool, leads: bool
) -> Checkpoint:
    """Return the checkpoint of a search.

    Args:
        study: Study of the search.
        plan: Plan of the search.
        has_scores: True if a seat of the study has a score.
        leads: False in a worker that joins a search.

    Raises:
        SearchError: The study has scores, but its weights are missing.
        OSError: The place of the weights cannot be written to.
    """
    checkpoint = checkpoint_at(plan.place, study, search=plan.search, writes=leads)
    if (has_scores and checkpoint.record() is None) or checkpoint.is_lost():
        name = "folder of the first run with --out"
        if plan.weights is not None:
            name = "place of the first run with --weights"
        raise SearchError(
            f"study {study.study_name!r} has scores, but no weights in {plan.place!r}: "
            f"give the {name}, or begin a new study with --study NAME"
        )
    return checkpoint
