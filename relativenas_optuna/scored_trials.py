"""Trials that the supernet objective scores: which it takes, and what they carry afterwards."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.replay import Replay

if TYPE_CHECKING:
    from relativenas_optuna.candidate import Phases
    from relativenas_optuna.checkpoint import Scored
    from relativenas_optuna.samplers.claims import Seat


def check_trial(trial: object) -> None:
    """Refuse what cannot be given a loss.

    Raises:
        TypeError: It is no running trial of a study.
        ValueError: Its study does not minimise one value.
    """
    if not isinstance(trial, optuna.Trial):
        raise TypeError(
            f"SupernetObjective trains the running trial of a study; got a "
            f"{type(trial).__name__}. To score an architecture with the weights as they are, call "
            f"objective.evaluate(objective.space.genotype(trial.params))"
        )
    study = trial.study
    if study.directions != [StudyDirection.MINIMIZE]:
        raise ValueError(
            f"SupernetObjective gives a loss, so the study must have the one direction "
            f"'minimize'; {study.study_name!r} has "
            f"{', '.join(direction.name.lower() for direction in study.directions)}"
        )


def has_scores(study: optuna.Study) -> bool:
    """Whether a supernet objective has scored trials of the study."""
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return any("genotype" in trial.user_attrs for trial in complete)


def warn_of_kept_scores(study: optuna.Study) -> None:
    """Warn where the study's sampler does not score fast learners anew.

    The shared weights move on, so that a score of an earlier generation says little beside a new
    one, and a pair of which one keeps its score trains only the other.
    """
    replay = Replay()
    replay.update(study)
    if replay.settings is not None and replay.settings.keeps_scores:
        warnings.warn(
            f"study {study.study_name!r} keeps the scores of fast learners "
            f"(preset={replay.settings.preset!r}), but shared weights move on: give a new study "
            f'RelativeNASSampler(..., preset="paper")',
            stacklevel=5,
        )


def record(trial: optuna.Trial, scored: Scored, phases: Phases, seat: Seat | None) -> None:
    """Keep with a trial what was measured beside its loss."""
    trial.set_user_attr("genotype", scored.genotype.to_text())
    trial.set_user_attr("accuracy", scored.accuracy)
    trial.set_user_attr("train_loss", scored.train_loss)
    trial.set_user_attr("seconds", {name: round(s, 4) for name, s in vars(phases).items()})
    if seat is not None:
        trial.set_user_attr("generation", seat.generation)
        trial.set_user_attr("seat", seat.number)
