"""`build`: the stand-alone network of an architecture, with initial or trained weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from relativenas_optuna.networks.backbone import Backbone
from relativenas_optuna.networks.io.network_file import StoredNetwork, read_weights
from relativenas_optuna.networks.io.state_dicts import fitting, is_imagenet, sizes_in, starting_anew
from relativenas_optuna.networks.network import FAMILIES
from relativenas_optuna.networks.space_network import any_network
from relativenas_optuna.spaces.genotype import CELL_NAMES, Genotype
from relativenas_optuna.spaces.published_cells import published, published_pool_norm
from relativenas_optuna.spaces.registry import NetworkSizes
from relativenas_optuna.spaces.space_genotype import AnyGenotype, SpaceGenotype

_NAMED = 3
"""Number of differing nodes that a message names."""


def build(
    genotype_or_name: AnyGenotype | str,
    dataset: str | None = None,
    *,
    channels: int | None = None,
    cells: int | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    auxiliary: bool = False,
    pool_norm: bool | None = None,
    weights: str | Path | StoredNetwork | None = None,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
) -> Any:  # a CellNetwork, a Backbone, or another module for other spaces
    """Build the stand-alone network of an architecture, by default at the size of the paper.

    With `weights`, sizes that are None are those of the file. For another number of classes the
    classifier gets initial weights, as for fine-tuning; so does an auxiliary head that the file
    does not have. A warning says so. An auxiliary head that only the file has is left out.

    Args:
        genotype_or_name: A genotype, or the name of a published one. A `SpaceGenotype` is an
            architecture of another registered space.
        dataset: "cifar10" (the default), "cifar100" (36 channels, 20 cells) or "imagenet"
            (46, 14).
        channels: Channels of the first cell's nodes.
        cells: Number of cells.
        num_classes: Number of classes; None for that of `dataset`, else of the weights.
        in_channels: Channels of an image; 3 by default.
        auxiliary: True to add the auxiliary head: the network then returns
            (logits, auxiliary logits) in training, and only logits in evaluation.
        pool_norm: True to add an affine batch norm after each pooling. None to do as the weights'
            file says, and otherwise as the authors of a published architecture do: those of
            MIGO-NAS add it, the others do not.
        weights: A file of trained weights: one of `relativenas train`, which ends in
            `.safetensors`, or one that `torch.save` wrote, as the published ones. Code in it is
            never run. The result of `read_weights` is accepted too. None for initial weights.
        features_only: True to return a `Backbone`: the network without its classifier, which
            returns a list of feature maps. They have the strides 2, 4, 8, 16 and 32 for
            "imagenet", otherwise 1, 2 and 4.
        out_indices: Maps that the backbone returns, in increasing order, for example (3, 4) or
            (-2, -1) for the last two; None for all.

    Returns:
        A `CellNetwork` for a pair of cells, another `torch.nn.Module` for other spaces; a
        `Backbone` with `features_only`.

    Raises:
        ValueError: The name, the data set, an operation, a size or an index is unknown or out of
            range; the file cannot be read, or is of another network. Or an argument cannot be
            given with, or without, `features_only`.
        TypeError: The first argument is neither a genotype nor a name.

    Example:
        >>> network = build("RelativeNAS", "cifar10", channels=4, cells=5).eval()
        >>> network(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
        >>> backbone = build("RelativeNAS", "imagenet", features_only=True, out_indices=(3, 4))
        >>> backbone.feature_info.channels(), backbone.feature_info.reduction()
        ([368, 736], [16, 32])
    """
    _check_features_only(features_only, out_indices, num_classes=num_classes, auxiliary=auxiliary)
    if dataset is not None and dataset not in FAMILIES:
        raise ValueError(f"dataset must be one of {', '.join(FAMILIES)}, got {dataset!r}")
    genotype = (
        published(genotype_or_name) if isinstance(genotype_or_name, str) else genotype_or_name
    )
    if not isinstance(genotype, Genotype | SpaceGenotype):
        raise TypeError(f"genotype_or_name must be a Genotype or a name, got {genotype!r}")
    stored = read_weights(weights) if isinstance(weights, str | Path) else weights
    known = {} if stored is None else sizes_of(stored)
    if dataset is not None and not features_only:
        known["num_classes"] = FAMILIES[dataset].num_classes
    name = dataset or dataset_of(stored)
    family = FAMILIES[name]

    def size(name: str, asked: int | None, usual: int) -> int:
        return known.get(name, usual) if asked is None else asked

    sizes = NetworkSizes(
        channels=size("channels", channels, family.channels),
        cells=size("cells", cells, family.cells),
        num_classes=size("num_classes", num_classes, family.num_classes),
        in_channels=size("in_channels", in_channels, 3),
    )

    if pool_norm is None:
        of = None if stored is None else stored.description
        pool_norm = published_pool_norm(genotype) if of is None else of.pool_norm

    def finished(network: Any) -> Any:
        return Backbone(network, out_indices) if features_only else network

    def made(*, meta: bool = False) -> Any:
        return any_network(
            genotype, name, sizes, auxiliary=auxiliary, pool_norm=pool_norm, meta=meta
        )

    if stored is None:
        return finished(made())
    bare = made(meta=True)  # what does not fit may be too large for this machine
    anew = starting_anew(bare, stored.state)
    state = fitting(bare, stored.state, stored.where, anew=anew)
    _require_same(genotype, stored)
    network = made()
    network.load_state_dict(state, strict=False)
    for message in anew.values():
        warnings.warn(f"{message} ({stored.where})", stacklevel=2)
    return finished(network)


def _check_features_only(
    features_only: bool, out_indices: Sequence[int] | None, **settings: object
) -> None:
    """Raise if an argument has no meaning with, or without, `features_only`.

    Raises:
        ValueError: There is one; the message names it.
    """
    if not features_only and out_indices is not None:
        raise ValueError("out_indices needs features_only=True")
    for name, value in settings.items():
        if features_only and value:
            raise ValueError(f"a backbone has no classifier: leave {name} out, got {value!r}")


def sizes_of(stored: StoredNetwork) -> dict[str, int]:
    """Return the sizes of the network that some weights are of, by their names in `build`."""
    if stored.description is None or isinstance(stored.description.genotype, Genotype):
        return sizes_in(stored.state)
    of = stored.description
    return {
        "channels": of.channels,
        "cells": of.cells,
        "num_classes": len(of.classes),
        "in_channels": of.in_channels,
    }


def dataset_of(stored: StoredNetwork | None, default: str = "cifar10") -> str:
    """Return the kind of network that some weights are of; `default` without weights."""
    if stored is None:
        return default
    if stored.description is not None:
        return stored.description.dataset
    return "imagenet" if is_imagenet(stored.state) else "cifar10"


def _require_same(genotype: AnyGenotype, stored: StoredNetwork) -> None:
    """Raise if the weights' description names another architecture.

    Tensors of another architecture may have the same names and shapes.

    Raises:
        ValueError: The architectures differ; the message names the first nodes that do.
    """
    if stored.description is None:
        return
    found = list(_differences(genotype, stored.description.genotype))
    if found:
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ValueError(
            f"{stored.where} is of another architecture: {'; '.join(found[:_NAMED])}{more}"
        )


def _differences(ours: AnyGenotype, theirs: AnyGenotype) -> Iterator[str]:
    if not isinstance(ours, Genotype) or not isinstance(theirs, Genotype):
        if ours != theirs:
            yield f"it is {theirs.to_text()[:200]!r} and should be {ours.to_text()[:200]!r}"
        return
    for name in CELL_NAMES:
        own, other = getattr(ours, name), getattr(theirs, name)
        for number, (left, right) in enumerate(zip(own.nodes, other.nodes, strict=False), start=2):
            if left != right:
                edges = [" ".join(map(str, node)) for node in (right, left)]
                yield f"{name}: node{number} is {edges[0]} and should be {edges[1]}"
        if (len(own.nodes), own.concat) != (len(other.nodes), other.concat):
            yield f"{name}: {len(other.nodes)} nodes and should be {len(own.nodes)}"
