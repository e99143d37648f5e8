"""Set the number of CPU threads of a process that works on a study, and record it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.storages.study_attributes import study_attribute
from relativenas_optuna.training.threads import ThreadChoice, choose_threads, set_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

    from relativenas_optuna.objective.supernet_objective import SupernetObjective

THREADS_ATTRIBUTE = "relative_nas:threads"


def set_search_threads(
    study: optuna.Study,
    objective: SupernetObjective[Any],
    given: int | None = None,
    *,
    workers: int = 1,
) -> str | None:
    """Set the number of PyTorch's threads for a search, see `training.threads.set_threads`.

    Args:
        study: Study of the search.
        objective: Objective of the search; a training step of its supernet is timed.
        given: Number of threads that the user asked for; None to choose one.
        workers: Number of processes on this machine that search together, this one included.

    Returns:
        One line for people; None on a GPU, see `set_study_threads`.
    """

    def measure(most: int) -> ThreadChoice:
        with objective.steps() as steps:
            return choose_threads(steps.train, steps.training, most=most)

    return set_study_threads(
        study,
        given,
        device=objective.device.type,
        workers=workers,
        attribute=THREADS_ATTRIBUTE,
        measure=measure,
    )


def set_study_threads(
    study: optuna.Study,
    given: int | None,
    *,
    device: str,
    workers: int,
    attribute: str,
    measure: Callable[[int], ThreadChoice],
) -> str | None:
    """Set the number of PyTorch's threads: the given one, that of the study, or the fastest one.

    On a GPU nothing is measured or recorded: the given number is set, or several workers share the
    present one.

    Args:
        study: The study.
        given: Number of threads that the user asked for; None to choose one.
        device: Device of the work, such as "cpu" or "cuda:0".
        workers: Number of processes on this machine that work together, this one included.
        attribute: User attribute of the study that records the number.
        measure: Function that chooses and sets a number, at most as large as its argument.

    Returns:
        One line for people; None on a GPU.
    """
    if device != "cpu":
        torch.set_num_threads(given or max(1, torch.get_num_threads() // workers))
        return None
    most = max(1, available_cores() // workers)
    recorded = study_attribute(study, attribute)
    if not isinstance(recorded, int) or recorded < 1:  # anybody may write to a study
        recorded = None
    found = set_threads(given=given, recorded=recorded, most=most, measure=lambda: measure(most))
    if found.records:
        study.set_user_attr(attribute, found.threads)
    return found.line
