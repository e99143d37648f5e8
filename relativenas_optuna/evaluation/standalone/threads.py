"""Set the number of CPU threads of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.evaluation.standalone.distributed import process_count
from relativenas_optuna.evaluation.standalone.estimate import choose_training_threads
from relativenas_optuna.evaluation.standalone.state import recorded_threads
from relativenas_optuna.training.threads import set_threads

if TYPE_CHECKING:
    from pathlib import Path

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


def set_training_threads(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    recipe: Recipe,
    *,
    out: Path,
    device: torch.device,
    given: int | None = None,
    task: Task | None = None,
) -> str | None:
    """Set the number of PyTorch's threads for `training_run`, see `training.threads.set_threads`.

    On a GPU, and in several processes that train together, only a given number is set.

    Args:
        genotype: The architecture.
        training: Training images.
        recipe: Recipe of the training.
        out: Folder of the training, whose state records the number.
        device: Device of the training.
        given: Number of threads that the user asked for; None to choose one.
        task: Task of the network; None for classification.

    Returns:
        One line for people; None if nothing was chosen.
    """
    if device.type != "cpu" or process_count() > 1:
        if given is not None:
            torch.set_num_threads(given)
        return None
    most = available_cores()
    return set_threads(
        given=given,
        recorded=recorded_threads(out),
        most=most,
        measure=lambda: choose_training_threads(
            genotype, training, recipe=recipe, most=most, task=task
        ),
    ).line
