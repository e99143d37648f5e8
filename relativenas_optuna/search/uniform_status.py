"""The progress of the training on uniform paths, read from a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.exceptions import StorageInternalError

from relativenas_optuna.objective.checkpoints.pointer import pointer_of
from relativenas_optuna.objective.checkpoints.record import Record

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.search.plan import SearchPlan


def trained_epochs(study: optuna.Study, plan: SearchPlan) -> int | None:
    """Return how many epochs on uniform paths are committed, without writing anything.

    Args:
        study: Study of the search.
        plan: Plan of the search.

    Returns:
        The number; None if the plan has no such epochs, or the record cannot be read.
    """
    stages = plan.settings.uniform_stages
    if not stages:
        return None
    try:
        text = pointer_of(study, plan.place).read()
        number = 0 if text is None else Record.from_text(text).version
    except (OSError, StorageInternalError, ValueError):
        return None  # the search itself reports the error
    return sum(map(len, stages[:number]))
