"""Which trained network a command means: a file, and for published weights of what they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from relativenas_optuna.cli.options.common import space_option
from relativenas_optuna.search.architectures import architecture_of
from relativenas_optuna.search.plan import DEFAULT_STORAGE, DEFAULT_STUDY
from relativenas_optuna.spaces.registry import load_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from relativenas_optuna.networks.io.description import NetworkDescription

    F = TypeVar("F", bound=Callable[..., object])

DATA_SETS = ("cifar10", "cifar100", "imagenet")


@dataclass(frozen=True)
class NetworkIn:
    """A network, and what a file says of it.

    Attributes:
        network: On the CPU.
        description: Description of the network.
        taken_for: Of what the file does not say, what it is taken for, as a line for people; `None`
            where the file says all. The classes have no names then.
    """

    network: nn.Module
    description: NetworkDescription
    taken_for: str | None


def network_argument(command: F) -> F:
    """Add the argument `file` and the options `architecture` and `dataset` to a command."""
    for option in (
        click.option(
            "--dataset",
            type=click.Choice(DATA_SETS),
            help="What published weights were trained on.  [default: as their shapes say]",
        ),
        click.option(
            "--architecture",
            metavar="NAME|FILE",
            help="Of published weights, which do not say it.  [default: RelativeNAS]",
        ),
        space_option,
        click.argument(
            "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
        ),
    ):
        command = option(command)
    return command


def network_in(
    file: Path, architecture: str | None, dataset: str | None, space: str | None
) -> NetworkIn:
    """Return the network in a file; see `open_network`.

    Raises:
        ValueError: The file cannot be read, or an option does not fit it.
    """
    if space is not None:
        load_space(space)
    # Loads PyTorch, for seconds: what needs none does not wait for it.
    from relativenas_optuna.evaluation.network_in_file import open_network

    named = architecture_of(
        architecture or "RelativeNAS", storage=DEFAULT_STORAGE, study=DEFAULT_STUDY
    )
    network, description, own = open_network(file, named.genotype, dataset)
    if own and architecture is not None and named.genotype != description.genotype:
        raise click.UsageError(
            f"--architecture is for weights that do not say theirs, and {str(file)!r} is of another"
        )
    if own and dataset is not None and dataset != description.dataset:
        raise click.UsageError(
            f"--dataset is for weights that do not say theirs, and {str(file)!r} is a network for "
            f"{description.dataset}"
        )
    taken_for = f"taken for {named.name} trained on {description.dataset}; the file does not say"
    return NetworkIn(network, description, None if own else taken_for)
