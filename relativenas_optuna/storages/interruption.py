"""Trials that fail because their worker stopped, and not because of their objective."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from relativenas_optuna._utils.patience import follows_ctrl_c

try:
    from optuna.study._optimize import _run_trial
except ImportError:  # another release of Optuna
    _RUN_TRIAL = None
else:
    _RUN_TRIAL = _run_trial.__code__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


def fail(storage: BaseStorage, trial_ids: Iterable[int]) -> list[int]:
    """Fail trials whose worker stopped, and mark them so that the objective is not blamed.

    Returns:
        The ids of the trials that this call failed; trials that had ended before are left out.
    """
    ended = []
    for trial_id in trial_ids:
        with suppress(UpdateFinishedTrialError):  # another process was quicker
            mark_interrupted(storage, trial_id)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
            ended.append(trial_id)
    return ended


def mark_if_interrupted(storage: BaseStorage, trial_id: int) -> None:
    """Mark a trial that is about to fail because of Ctrl-C, so that its seat is given out again."""
    if is_interrupted():
        with suppress(UpdateFinishedTrialError):
            mark_interrupted(storage, trial_id)


def is_interrupted() -> bool:
    """Return True if this thread is ending a trial because of Ctrl-C.

    `study.optimize` catches a `KeyboardInterrupt` of the objective and fails the trial, as after
    any error. It does not pass the reason to the sampler or the storage.
    """
    handled = sys.exc_info()[1]
    frame = _frame_of_optimize()
    if frame is None:
        return follows_ctrl_c(handled)
    return follows_ctrl_c(frame.f_locals.get("func_err"), handled)


def _frame_of_optimize() -> FrameType | None:
    """Return the frame of `study.optimize` that runs the trial of this thread, if any."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not _RUN_TRIAL:
        frame = frame.f_back
    return frame


@contextmanager
def failed_on_error(study: Study, trial: FrozenTrial) -> Iterator[None]:
    """Fail a running trial if the body of the `with` statement raises."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        fail(study._storage, [trial._trial_id])
        raise


INTERRUPTED_KEY = "relative_nas:interrupted"


def mark_interrupted(storage: BaseStorage, trial_id: int) -> None:
    """Mark a trial as interrupted: its worker stopped, and the objective is not to blame.

    Raises:
        UpdateFinishedTrialError: The trial has already ended.
    """
    # The mark holds the trial's number: a retried trial is a copy with all attributes.
    number = storage.get_trial_number_from_id(trial_id)
    storage.set_trial_system_attr(trial_id, INTERRUPTED_KEY, f"trial {number}")


def was_interrupted(trial: FrozenTrial) -> bool:
    """Return True if a failed trial was marked by `mark_interrupted`."""
    return bool(trial.system_attrs.get(INTERRUPTED_KEY) == f"trial {trial.number}")
