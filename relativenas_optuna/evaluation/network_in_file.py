"""Open the network in a file: one that this package has written, or published weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from relativenas_optuna.evaluation.tasks.network import stored_network
from relativenas_optuna.networks.build_network import build
from relativenas_optuna.networks.io.description import NetworkDescription
from relativenas_optuna.networks.io.network_file import read_weights
from relativenas_optuna.networks.io.state_dicts import is_imagenet, sizes_in
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.training.data.statistics import STATISTICS

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_SIDES = {"cifar10": 32, "cifar100": 32, "imagenet": 224}


def open_network(
    path: str | Path, genotype: AnyGenotype, dataset: str | None = None
) -> tuple[Any, NetworkDescription, bool]:
    """Read a network from a file; no code in the file is executed.

    Args:
        path: Path of a trained-network file, or of published weights; see `read_weights`.
        genotype: Architecture to use if the file does not hold a description.
        dataset: Data set that such weights were trained on: "cifar10", "cifar100" or "imagenet";
            None infers it from the stem and the number of classes.

    Returns:
        The network on the CPU, its description, and True if the file holds the description.
        Otherwise the names of the classes are numbers, and mean, std and size are the paper's.

    Raises:
        TaskError: The network is for a task that is not registered in this process.
        ValueError: The file cannot be read, or holds another network.
    """
    stored = read_weights(path)
    if stored.description is not None:
        return *stored_network(stored), True
    if not isinstance(genotype, Genotype):
        raise ValueError(
            f"{stored.where} does not describe its network, so it must be weights of a pair of "
            f"cells; got an architecture of space {genotype.space!r}"
        )
    sizes = sizes_in(stored.state)
    count = sizes.get("num_classes")
    if dataset is None:
        dataset = "cifar100" if count == 100 else "cifar10"
        dataset = "imagenet" if is_imagenet(stored.state) else dataset
    auxiliary = any(name.startswith("auxiliary_head.") for name in stored.state)
    network = build(genotype, dataset, num_classes=count, auxiliary=auxiliary, weights=stored)
    description = NetworkDescription(
        genotype=genotype,
        dataset=dataset,
        channels=sizes["channels"],
        cells=sizes["cells"],
        in_channels=network.in_channels,
        classes=tuple(map(str, range(network.classifier.out_features))),
        auxiliary=auxiliary,
        pool_norm=network.pool_norm,
        mean=STATISTICS[dataset].mean,
        std=STATISTICS[dataset].std,
        size=(_SIDES[dataset],) * 2,
    )
    return network, description, False
