"""Arguments that name a trained network, and how to open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from relativenas_optuna.cli.options.common import DescribedArgument, space_option
from relativenas_optuna.cli.options.task import task_of, task_option
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION
from relativenas_optuna.search.architectures import architecture_of
from relativenas_optuna.search.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from relativenas_optuna.spaces.registry import load_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from relativenas_optuna.networks.io.description import NetworkDescription

    F = TypeVar("F", bound=Callable[..., object])

DATA_SETS = ("cifar10", "cifar100", "imagenet")


@dataclass(frozen=True)
class NetworkIn:
    """A network that was read from a file, with its description.

    Attributes:
        network: The network, on the CPU.
        description: Description of the network.
        taken_for: Line for people about the assumed architecture and data set; None if the file
            names them. If they are assumed, the classes have no names.
    """

    network: nn.Module
    description: NetworkDescription
    taken_for: str | None


def network_argument(command: F) -> F:
    """Add `file` and the options `space`, `task`, `architecture`, `dataset` to a command."""
    for option in (
        task_option,
        click.option(
            "--dataset",
            type=click.Choice(DATA_SETS),
            help="Data set that FILE was trained on, for published weights.  [default: the one "
            "that fits their shapes]",
        ),
        click.option(
            "--architecture",
            metavar="NAME|FILE",
            help="Architecture of FILE, for published weights: a published name or a file with a "
            "genotype.  [default: RelativeNAS]",
        ),
        space_option,
        click.argument(
            "file",
            cls=DescribedArgument,
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            description="A network written by `relativenas train`, or weights written by "
            "torch.save, such as the paper's published weights. Code in the file is never run.",
        ),
    ):
        command = option(command)
    return command


def network_in(
    file: Path,
    architecture: str | None,
    dataset: str | None,
    space: str | None,
    task: str | None,
) -> NetworkIn:
    """Return the network in a file.

    Args:
        file: File of `relativenas train`, or weights written by `torch.save`.
        architecture: Architecture of weights whose file does not name it; None for RelativeNAS.
        dataset: Data set of weights whose file does not name it; None to infer it from their
            shapes.
        space: Name of the search space to load; None if the file names it.
        task: Name of the task to load; None for that of the file.

    Raises:
        ValueError: The file cannot be read.
        UsageError: An option contradicts the file.
    """
    if space is not None:
        load_space(space)
    loaded = task_of(task)
    # This import loads PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.evaluation.network_in_file import open_network

    named = architecture_of(
        architecture or "RelativeNAS", storage=DEFAULT_STORAGE, study=DEFAULT_STUDY
    )
    network, description, own = open_network(file, named.genotype, dataset)
    if own and architecture is not None and named.genotype != description.genotype:
        raise click.UsageError(
            f"--architecture is for weights that do not name theirs, but {str(file)!r} names "
            f"another one"
        )
    if own and dataset is not None and dataset != description.dataset:
        raise click.UsageError(
            f"--dataset is for weights that do not name theirs, but {str(file)!r} names "
            f"{description.dataset}"
        )
    of_file = description.task
    if task is not None and of_file != (CLASSIFICATION if loaded is None else loaded.name):
        raise click.UsageError(f"--task is {task}, but {str(file)!r} is a network for {of_file}")
    taken_for = (
        f"assumed to be {named.name} trained on {description.dataset}; the file does not say"
    )
    return NetworkIn(network, description, None if own else taken_for)
