"""Options for the task of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relativenas_optuna.evaluation.tasks.registry import BUILT_IN, CLASSIFICATION
from relativenas_optuna.search.architectures import Named

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.tasks.task import Task

TASKS = (CLASSIFICATION, *BUILT_IN)

task_option = click.option(
    "--task",
    metavar="TASK",
    help=f"Task: {', '.join(TASKS)}, or MODULE:ATTRIBUTE of a task of your own.  [default: that of "
    "the file, otherwise classification]",
)

backbone_option = click.option(
    "--backbone",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trained weights for the backbone of another task, of relativenas train, the published "
    "ones for ImageNet, or those of a torchvision network.  [default: initial weights]",
)


def task_of(name: str | None) -> Task | None:
    """Return the task of a name; None for classification, which is the default.

    Raises:
        TaskError: No such task is registered, or its module cannot be imported.
    """
    if name in (None, CLASSIFICATION):
        return None
    # This import loads PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.tasks.registry import load_task

    return load_task(str(name))


def stand_in(architecture: str | None) -> Named | None:
    """Return the network of torchvision with a name, as a backbone; None for another argument."""
    # This import loads PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.tasks.backbones import torchvision_genotype

    genotype = None if architecture is None else torchvision_genotype(architecture)
    return None if genotype is None else Named(genotype, genotype.text, "network of torchvision")


def task_to_train(name: str | None, *, data: str | None, backbone: Path | None) -> Task | None:
    """Return the task to train for; None for classification.

    Args:
        name: Value of `--task`.
        data: Value of `--data`.
        backbone: Value of `--backbone`.

    Raises:
        TaskError: No such task is registered, or its module cannot be imported.
        UsageError: The options contradict each other.
    """
    task = task_of(name)
    if task is None and backbone is not None:
        raise click.UsageError("--backbone needs --task with another task than classification")
    if task is not None and data is None:
        raise click.UsageError(f"--task {name} needs --data, the folder of a data set")
    return task
