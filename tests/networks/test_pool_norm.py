"""The published cells of MIGO-NAS, and the batch norm after pooling that their authors use."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.evaluation.standalone.run import NETWORK
from relativenas_optuna.evaluation.standalone.setup import new_network
from relativenas_optuna.networks import (
    CellNetwork,
    NetworkDescription,
    build,
    cost,
    load_network,
    save_network,
)
from relativenas_optuna.spaces import PUBLISHED, Genotype, SpaceGenotype, published
from tests.helpers.networks import random_images
from tests.helpers.small_standalone import train
from tests.helpers.tiny_search import same_bits

POOLED = Genotype.from_text(
    "normal: node2 max_pool_3x3(0) skip_connect(1)\n"
    "reduce: node2 sep_conv_3x3(0) avg_pool_3x3(1) | node3 max_pool_3x3(2)"
)
SMALL: dict[str, Any] = {"channels": 2, "cells": 3}


def on_meta(name: str, **settings: Any) -> CellNetwork:
    with torch.device("meta"):
        network: CellNetwork = build(name, **settings)
    return network.eval()


def norms_after_pooling(network: CellNetwork) -> list[bool]:
    """Return for each pooling of the cells, in their order, if a batch norm follows it."""
    edges = [
        (edge.operation, module)
        for cell in network.cells
        for edge, module in zip(cell.cell.edges, cell._ops, strict=True)  # type: ignore[union-attr, arg-type]
    ]
    return [isinstance(module, nn.Sequential) for name, module in edges if "pool" in name]


@pytest.mark.slow_except("MIGO-NAS-1")
@pytest.mark.parametrize(
    ("name", "with_norms", "without"),
    [
        ("MIGO-NAS-1", 3_266_182, 3_262_294),
        ("MIGO-NAS-2", 3_274_390, 3_273_526),
        ("MIGO-NAS-3", 2_848_438, 2_838_070),
        ("MIGO-NAS-4", 2_749_078, 2_738_278),
    ],
)
def test_published_migo_networks_have_their_number_of_parameters(
    name: str, with_norms: int, without: int
) -> None:
    assert cost(on_meta(name), (3, 32, 32)).parameters == with_norms
    assert cost(on_meta(name, pool_norm=False), (3, 32, 32)).parameters == without


@pytest.mark.slow_except("MIGO-NAS-1")
@pytest.mark.parametrize(
    ("name", "millions"),
    [("MIGO-NAS-1", 531.2), ("MIGO-NAS-2", 524.0), ("MIGO-NAS-3", 451.5), ("MIGO-NAS-4", 439.6)],
)
def test_published_multiply_adds_also_count_batch_norms_and_average_pooling(
    name: str, millions: float
) -> None:
    """Ours count convolutions and linear layers; pytorch-OpCounter 0.0.31 counts more layers.

    It adds 2 for each value of a batch norm, 1 for each output of an average pooling, and for each
    output of the global pooling 1 and the number of its inputs.
    """
    network, extra = on_meta(name), 0

    def count(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal extra
        if isinstance(module, nn.BatchNorm2d):
            extra += 2 * output.numel()
        elif isinstance(module, nn.AvgPool2d):
            extra += output.numel()
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            extra += output.numel() * (prod(inputs[0].shape[2:]) + 1)

    for module in network.modules():
        module.register_forward_hook(count)
    ours = cost(network, (3, 32, 32)).multiply_adds
    assert round((ours + extra) / 1e6, 1) == millions
    assert ours == cost(on_meta(name, pool_norm=False), (3, 32, 32)).multiply_adds


def test_only_the_cells_of_migo_nas_have_the_norms_by_default() -> None:
    for name, one in PUBLISHED.items():
        network = on_meta(name, **SMALL)
        assert network.pool_norm is one.pool_norm is name.startswith("MIGO")
        assert set(norms_after_pooling(network)) == {one.pool_norm}


def same_names(one: nn.Module, other: nn.Module) -> bool:
    return list(one.state_dict()) == list(other.state_dict())


def test_a_genotype_is_built_as_its_name_is() -> None:
    for name in PUBLISHED:
        with torch.device("meta"):
            by_value = build(published(name), **SMALL)
        assert same_names(by_value, on_meta(name, **SMALL))


def test_the_norm_normalises_the_pooled_values_by_batch_and_by_learnt_weights() -> None:
    network = build(POOLED, pool_norm=True, **SMALL)
    assert norms_after_pooling(network) == [True] * 5
    pooling = network.cells[0]._ops[0]
    images = random_images(4, 2, 8, 8)
    pooled = nn.functional.max_pool2d(images, 3, 1, padding=1)
    expected = nn.functional.batch_norm(pooled, None, None, training=True)
    torch.testing.assert_close(pooling(images), expected)
    with torch.no_grad():
        pooling[1].weight.fill_(3.0)
        pooling[1].bias.fill_(-1.0)
    torch.testing.assert_close(pooling(images), 3 * expected - 1)


def test_without_poolings_the_option_changes_nothing() -> None:
    genotype = Genotype.from_text(
        "normal: node2 skip_connect(0) dil_conv_3x3(1)\nreduce: node2 skip_connect(0)"
    )
    assert same_names(*(build(genotype, pool_norm=norm, **SMALL) for norm in (True, False)))


def described(*, pool_norm: bool) -> NetworkDescription:
    return NetworkDescription(
        genotype=POOLED,
        dataset="cifar10",
        channels=2,
        cells=3,
        in_channels=3,
        classes=("a", "b"),
        auxiliary=False,
        pool_norm=pool_norm,
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        size=(8, 8),
    )


@pytest.mark.parametrize("pool_norm", [True, False])
def test_the_file_of_a_network_says_the_option(pool_norm: bool, tmp_path: Path) -> None:
    description = described(pool_norm=pool_norm)
    network = description.build()
    assert set(norms_after_pooling(network)) == {pool_norm}
    path = save_network(tmp_path / "one.safetensors", network, description)
    loaded, read = load_network(path)
    assert read == description
    assert same_bits(loaded.state_dict(), network.state_dict())
    # The file counts, unless the caller says otherwise: then the weights do not fit.
    assert same_bits(build(POOLED, weights=path).state_dict(), network.state_dict())
    with pytest.raises(ValueError, match=r"is of another network: .*cells\.0\._ops\.0\.1"):
        build(POOLED, weights=path, pool_norm=not pool_norm)
    with pytest.raises(ValueError, match="the network to be saved is of another network"):
        save_network(path, network, replace(description, pool_norm=not pool_norm))


def test_a_recipe_says_the_option() -> None:
    def names(genotype: Genotype, pool_norm: str) -> list[str]:
        recipe = replace(RECIPES["digits"], pool_norm=pool_norm, channels=2, cells=3)
        return list(new_network(genotype, recipe, in_channels=1, classes=2, seed=0).state_dict())

    assert names(POOLED, "auto") == names(POOLED, "off") != names(POOLED, "on")
    migo = published("MIGO-NAS-4")
    assert names(migo, "auto") == names(migo, "on") != names(migo, "off")
    with pytest.raises(ValueError, match="pool_norm must be one of auto, on, off; got 'yes'"):
        replace(RECIPES["digits"], pool_norm="yes")


@pytest.mark.parametrize(("pool_norm", "expected"), [("on", True), ("auto", False)])
def test_training_writes_the_option_into_the_networks_file(
    pool_norm: str, expected: bool, tmp_path: Path
) -> None:
    train(tmp_path, epochs=1, pool_norm=pool_norm)
    network, description = load_network(tmp_path / NETWORK)
    assert description.pool_norm is network.pool_norm is expected
    assert set(norms_after_pooling(network)) == {expected}


def test_networks_of_other_spaces_refuse_the_option() -> None:
    cell = SpaceGenotype("nasbench201", "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
    with pytest.raises(ValueError, match="'nasbench201' have no batch norm after pooling"):
        build(cell, pool_norm=True, channels=2, cells=5)
