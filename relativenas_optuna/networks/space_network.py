"""The stand-alone network of an architecture of any registered space."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.networks.network import FAMILIES
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.registry import NetworkSizes, registered_space

if TYPE_CHECKING:
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


def any_network(
    genotype: AnyGenotype,
    dataset: str,
    sizes: NetworkSizes,
    *,
    auxiliary: bool,
    pool_norm: bool = False,
    meta: bool = False,
) -> Any:  # a CellNetwork, or another module for other spaces
    """Build the stand-alone network of an architecture.

    Args:
        genotype: The architecture.
        dataset: "cifar10", "cifar100" or "imagenet"; see `build`. Only pairs of cells have a
            network for ImageNet.
        sizes: Sizes of the network.
        auxiliary: True to add an auxiliary head, which only pairs of cells have.
        pool_norm: True to add an affine batch norm after each pooling, for pairs of cells only.
        meta: True to build it without memory for its weights, on the meta device. The network of a
            space that is not built in is built on the CPU, since its module may not run elsewhere.

    Raises:
        SpaceError: The space is not loaded, or its network is not a module.
        ValueError: A size is out of range, or the space has no such network.
    """
    if isinstance(genotype, Genotype):
        with torch.device("meta") if meta else nullcontext():
            return FAMILIES[dataset].network(
                genotype, **vars(sizes), auxiliary=auxiliary, pool_norm=pool_norm
            )
    architecture = genotype.value
    assert genotype.space is not None
    registered = registered_space(genotype.space)
    if FAMILIES[dataset] is FAMILIES["imagenet"]:
        raise ValueError(
            f"networks of space {genotype.space!r} are for small images: take the family cifar"
        )
    if auxiliary:
        raise ValueError(
            f"networks of space {genotype.space!r} have no auxiliary head: set auxiliary=0"
        )
    if pool_norm:
        raise ValueError(
            f"networks of space {genotype.space!r} have no batch norm after pooling: set "
            f"pool_norm to false"
        )
    with torch.device("meta") if meta and registered.built_in else nullcontext():
        network = registered.build_network(architecture, sizes)
    if not isinstance(network, nn.Module):
        raise SpaceError(
            f"the stand-alone network of space {genotype.space!r} must be a torch.nn.Module; got "
            f"{type(network).__name__}"
        )
    return network
