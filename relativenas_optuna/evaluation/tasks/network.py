"""The network of a task on the backbone of an architecture, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from relativenas_optuna.evaluation.tasks.backbones import TorchvisionBackbone
from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION, task_named
from relativenas_optuna.exceptions import TaskError
from relativenas_optuna.networks.build_network import build
from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.io.network_file import network_of, save_network
from relativenas_optuna.networks.io.state_dicts import require_fit
from relativenas_optuna.spaces.names import TORCHVISION
from relativenas_optuna.spaces.space_genotype import is_built_in, space_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.networks.io.description import NetworkDescription
    from relativenas_optuna.networks.io.network_file import StoredNetwork
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_STRIDES = {"cifar": (1, 2, 4), "imagenet": (2, 4, 8, 16, 32)}
"""Strides of the maps of a backbone by the family of its network."""


def task_network(
    task: Task,
    genotype: AnyGenotype,
    recipe: Recipe,
    classes: Sequence[str],
    *,
    seed: int,
    backbone: StoredNetwork | None = None,
) -> nn.Module:
    """Return the network of a recipe on the CPU, with initial weights that follow from the seed.

    The state of torch's global random generator does not change.

    Args:
        task: The task.
        genotype: The architecture of the backbone; see `torchvision_genotype` for a network of
            torchvision, whose size is fixed.
        recipe: Recipe of the training, with the sizes of the backbone.
        classes: Names of the classes.
        seed: Seed of the initial weights.
        backbone: Trained weights of the backbone, or of a classifier with it; None for initial
            weights.

    Raises:
        TaskError: The backbone has no map at a stride that the task reads.
        ValueError: The trained weights do not fit the architecture or its sizes.
    """
    if backbone and backbone.description and backbone.description.task != CLASSIFICATION:
        raise ValueError(
            f"backbone must be the weights of a classifier; {backbone.where} is a network for "
            f"{backbone.description.task}"
        )
    network = _built(
        task,
        genotype,
        recipe.dataset,
        tuple(classes),
        seed=seed,
        channels=recipe.channels,
        cells=recipe.cells,
        pool_norm=recipe.adds_pool_norm,
        weights=backbone,
    )
    return network.to(memory_format=torch.channels_last)


def described_network(description: NetworkDescription) -> nn.Module:
    """Return the network of a task that is described, with initial weights.

    Raises:
        TaskError: The task of the description is not registered in this process.
        ValueError: The described network cannot be built.
    """
    return _built(
        task_named(description.task),
        description.genotype,
        description.dataset,
        description.classes,
        seed=0,
        channels=description.channels,
        cells=description.cells,
        pool_norm=description.pool_norm,
    )


def save_task_network(path: Path, network: nn.Module, description: NetworkDescription) -> None:
    """Write a trained network of a task as `save_network` does.

    Raises:
        ValueError: The network is not the one described, or holds numbers that are not finite.
        OSError: A file cannot be written.
    """
    save_network(path, network, description, blank=described_network(description))


def stored_network(stored: StoredNetwork) -> tuple[nn.Module, NetworkDescription]:
    """Return the network of read weights that describe it, for any task.

    Returns:
        The network on the CPU, and its description.

    Raises:
        TaskError: The task of the description is not registered in this process.
        ValueError: The weights are not those of the described network.
    """
    description = stored.description
    if description is None or description.task == CLASSIFICATION:
        return network_of(stored)
    network = described_network(description)
    require_fit(network.state_dict(), stored.state, stored.where)
    network.load_state_dict(stored.state)
    return network, description


def _built(
    task: Task,
    genotype: AnyGenotype,
    dataset: str,
    classes: tuple[str, ...],
    *,
    seed: int,
    **of: Any,
) -> nn.Module:
    if space_of(genotype) == TORCHVISION:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            stand_in = TorchvisionBackbone(genotype.to_text(), weights=of.get("weights"))
            return task.network(stand_in, classes)
    family = "imagenet" if dataset == "imagenet" else "cifar"
    found = _STRIDES[family]
    if missing := [stride for stride in task.strides if stride not in found]:
        raise TaskError(
            f"task {task.name} reads a map at stride {missing[0]}, but backbones of the family "
            f"{family!r} have maps at {', '.join(map(str, found))}: take another family"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        indices = [found.index(stride) for stride in task.strides]
        backbone = build(genotype, dataset, features_only=True, out_indices=indices, **of)
        if of.get("weights") is None and is_built_in(genotype):
            draw_weights(backbone, torch.Generator().manual_seed(seed))
        return task.network(backbone, classes)
