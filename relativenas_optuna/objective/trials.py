"""Checks of the trials that a supernet objective scores, and the attributes that it stores."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import TrialState

from relativenas_optuna.samplers.populations import starting_claim
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.storages.interruption import mark_interrupted
from relativenas_optuna.training.loop import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relativenas_optuna.objective.outcome import Phases
    from relativenas_optuna.training.loop import Report


def check_trial(trial: object) -> None:
    """Raise if the argument is not a running trial.

    Raises:
        TypeError: The argument is something else.
    """
    if not isinstance(trial, optuna.Trial):
        raise TypeError(
            f"SupernetObjective trains the running trial of a study; got a "
            f"{type(trial).__name__}. To score an architecture with the weights as they are, call "
            f"objective.evaluate(objective.space.genotype(trial.params))"
        )


def place_of(trial: optuna.Trial, seat: Seat | None, population: int) -> Seat:
    """Return the place of a candidate in the schedule of a search.

    Its generation gives the learning rate and drop-path, and the whole place gives the random
    numbers of the training. It is the candidate's seat. A candidate without a seat has the place
    that follows from its trial's number if trials fill generations one after another; a seat of
    another trial may have the same place.

    Args:
        trial: Trial of the candidate.
        seat: Seat of the candidate; None without one.
        population: Number of places of a generation.
    """
    return seat or Seat(*divmod(trial.number, population))


def has_scores(study: optuna.Study) -> bool:
    """Return True if a supernet objective has scored trials of the study."""
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return any("genotype" in trial.user_attrs for trial in complete)


def warn_of_kept_scores(study: optuna.Study) -> None:
    """Warn if the study's sampler does not re-evaluate fast learners.

    The shared weights change, so a score of an earlier generation cannot be compared with a new
    one. And if one of a pair keeps its score, only the other one is trained.
    """
    claim = starting_claim(study.get_trials(deepcopy=False))
    if claim is None or claim.settings is None or claim.sampler != PairedPopulation.sampler:
        return
    settings = PairedPopulation.settings_class.from_json(claim.settings)
    if settings.keeps_scores:
        warnings.warn(
            f"study {study.study_name!r} keeps the scores of fast learners "
            f"(preset={settings.preset!r}), but shared weights move on: give a new "
            f'study RelativeNASSampler(..., preset="paper")',
            stacklevel=5,
        )


@contextmanager
def reporting(trial: optuna.Trial, *, enabled: bool) -> Iterator[Report | None]:
    """Report a running loss to the study's pruner, which may end the epoch.

    If the study maximises, the loss is reported times -1, because its pruner prefers larger values.

    Args:
        trial: Trial that is being trained.
        enabled: True to report; False to report nothing.

    Yields:
        The `report` argument of `train_epoch`; None if `enabled` is False.

    Raises:
        TrialPruned: The pruner ended the epoch.
    """
    sign = -1 if trial.study.directions[0] == StudyDirection.MAXIMIZE else 1

    def report(step: int, loss: float) -> bool:
        trial.report(sign * loss, step)
        return trial.should_prune()

    try:
        yield report if enabled else None
    except Stopped as error:
        raise optuna.TrialPruned(f"the running loss was {error.loss:.4f}") from None


@contextmanager
def marked_if_interrupted(trial: optuna.Trial) -> Iterator[list[Exception]]:
    """Mark a trial as interrupted if anything but its architecture ends the `with` block.

    An error of the architecture counts as its failure. After any other end, such as Ctrl-C or a
    full disk, the seat of the trial is assigned again.

    Yields:
        A list, to which the block adds the errors of the architecture before it raises them.
    """
    errors: list[Exception] = []
    try:
        yield errors
    except BaseException as error:
        if error not in errors:
            with suppress(UpdateFinishedTrialError):  # another process ended it meanwhile
                mark_interrupted(trial.storage, trial._trial_id)
        raise


def record(
    trial: optuna.Trial,
    text: str,
    phases: Phases,
    seat: Seat | None,
    *,
    accuracy: float,
    train_loss: float | None = None,
    start: int | None = None,
    stale: int | None = None,
) -> None:
    """Store the results of a candidate, beside its loss, as user attributes of its trial.

    Args:
        trial: Trial of the candidate.
        text: Text of the architecture.
        phases: Seconds of each phase.
        seat: Seat of the candidate; None under a sampler without seats.
        accuracy: Share of the validation images classified correctly, 0 to 1.
        train_loss: Mean loss during training; None if the candidate was not trained.
        start: Number of commits behind the weights that the candidate started with.
        stale: Number of commits by others before the candidate's own; None if it has none.
    """
    trial.set_user_attr("genotype", text)
    trial.set_user_attr("accuracy", accuracy)
    if train_loss is not None:
        trial.set_user_attr("train_loss", train_loss)
    for name, seconds in vars(phases).items():
        trial.set_user_attr(f"seconds_{name}", round(seconds, 4))
    if seat is not None:
        trial.set_user_attr("generation", seat.generation)
        trial.set_user_attr("seat", seat.number)
    if start is not None:
        trial.set_user_attr("weights_version", start)
    if stale is not None:
        trial.set_user_attr("stale_commits", stale)
