"""Trials that end for no fault of their objective's."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from relativenas_optuna.samplers.claims import mark_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


def fail(storage: BaseStorage, trial_ids: Iterable[int]) -> list[int]:
    """Fail trials for no fault of the objective's, so that none stays RUNNING for ever.

    Returns:
        Those of them that had not ended before.
    """
    ended = []
    for trial_id in trial_ids:
        with suppress(UpdateFinishedTrialError):  # another process was quicker
            mark_interrupted(storage, trial_id)
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
            ended.append(trial_id)
    return ended


@contextmanager
def failed_on_error(study: Study, trial: FrozenTrial) -> Iterator[None]:
    """Leave no trial RUNNING that was refused."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        fail(study._storage, [trial._trial_id])
        raise
