from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import relativenas_optuna
from relativenas_optuna.networks import CellNetwork, CifarNetwork, ImageNetNetwork, build
from relativenas_optuna.networks.layers.cell import CellShape, DropPath, FixedCell
from relativenas_optuna.spaces import PUBLISHED, Cell, CellSpace, Edge, Genotype, published
from tests.helpers.networks import golden, random_images


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def meta_build(*args: Any, **settings: Any) -> CellNetwork:
    with torch.device("meta"):
        network: CellNetwork = build(*args, **settings)
    return network


def cell_shapes(network: CellNetwork, images: Tensor) -> list[tuple[int, ...]]:
    """Run a batch and return the shape that every cell gave."""
    shapes: list[tuple[int, ...]] = []
    hooks = [
        cell.register_forward_hook(lambda _module, _inputs, out: shapes.append(tuple(out.shape)))
        for cell in network.cells
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return shapes


def test_the_published_state_loads_under_its_own_names_and_gives_its_logits() -> None:
    network = build("RelativeNAS", channels=4, cells=5, num_classes=7, auxiliary=True)
    network.load_state_dict(golden().state, strict=True)
    logits = network.eval()(golden().images)
    torch.testing.assert_close(logits, golden().logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("RelativeNAS", "cifar10", 3_928_222),
        ("RelativeNAS", "cifar100", 3_980_152),
        ("RelativeNAS", "imagenet", 5_050_029),
        ("DARTS_V1", "cifar10", 3_169_414),
        ("DARTS_V2", "cifar10", 3_349_342),
    ],
)
def test_published_networks_have_their_number_of_parameters(
    name: str, dataset: str, expected: int
) -> None:
    assert parameters(meta_build(name, dataset)) == expected


@pytest.mark.parametrize(
    ("dataset", "expected"), [("cifar10", 476_426), ("cifar100", 545_636), ("imagenet", 1_256_680)]
)
def test_auxiliary_heads_have_their_number_of_parameters(dataset: str, expected: int) -> None:
    network = meta_build("RelativeNAS", dataset, auxiliary=True)
    assert network.auxiliary_head is not None
    assert parameters(network.auxiliary_head) == expected
    assert parameters(network) == expected + parameters(meta_build("RelativeNAS", dataset))


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_architecture_runs_on_both_kinds_of_images(name: str) -> None:
    small = meta_build(name, "cifar10", channels=4, cells=4)
    large = meta_build(name, "imagenet", channels=4, cells=4)
    with torch.device("meta"):
        assert small(torch.empty(2, 3, 32, 32)).shape == (2, 10)
        assert large(torch.empty(2, 3, 224, 224)).shape == (2, 1000)


@pytest.mark.parametrize("cells", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 32), (28, 28), (30, 13), (4, 4)])
def test_cells_double_channels_and_halve_sizes_at_the_thirds(
    cells: int, height: int, width: int
) -> None:
    space = CellSpace(nodes=2, operations=("skip_connect", "dil_conv_3x3", "avg_pool_3x3"))
    genotype = space.random(np.random.default_rng(cells))
    network = CifarNetwork(genotype, channels=3, cells=cells, num_classes=5, in_channels=1).eval()
    shapes = cell_shapes(network, random_images(2, 1, height, width))
    for index, shape in enumerate(shapes):
        halvings = len({at for at in (cells // 3, 2 * cells // 3) if at <= index})
        side = 2**halvings
        # Rounding up twice by 2 is rounding up once by 4.
        assert shape == (2, 2 * 3 * side, math.ceil(height / side), math.ceil(width / side))


def test_the_imagenet_stem_divides_the_size_by_eight() -> None:
    network = build("DARTS_V2", "imagenet", channels=6, cells=6, num_classes=5).eval()
    shapes = cell_shapes(network, random_images(1, 3, 64, 96))
    assert shapes[0] == (1, 4 * 6, 8, 12)
    assert shapes[-1] == (1, 4 * 24, 2, 3)


def test_a_partial_concat_decides_the_channels() -> None:
    shapes = cell_shapes(
        build("AmoebaNet_A", channels=2, cells=3).eval(), random_images(1, 3, 16, 16)
    )
    assert [shape[1] for shape in shapes] == [3 * 2, 3 * 4, 3 * 8]


def test_the_auxiliary_logits_come_in_training_only() -> None:
    network = build("DARTS_V1", channels=2, cells=3, num_classes=6, auxiliary=True)
    images = random_images(2, 3, 32, 32)
    logits, auxiliary = network(images)
    assert logits.shape == auxiliary.shape == (2, 6)
    assert network.eval()(images).shape == (2, 6)
    plain = build("DARTS_V1", channels=2, cells=3, num_classes=6)
    assert plain(images).shape == (2, 6)


def test_the_auxiliary_head_reads_the_last_reduction_cell() -> None:
    network = build("DARTS_V1", channels=2, cells=4, auxiliary=True)
    _, auxiliary = network(random_images(2, 3, 32, 32))
    auxiliary.sum().backward()
    reached = [any(p.grad is not None for p in cell.parameters()) for cell in network.cells]
    assert reached == [True, True, True, False]


def test_the_auxiliary_head_refuses_small_images_and_takes_larger_ones() -> None:
    network = build("DARTS_V1", channels=2, cells=3, auxiliary=True)
    with pytest.raises(ValueError, match="at least 8x8 pixels, got 7x8: use larger images"):
        network(random_images(2, 3, 28, 32))
    for size in (29, 64):
        assert network(random_images(2, 3, size, size))[1].shape == (2, 10)


def test_drop_path_draws_from_the_given_generator_alone() -> None:
    network = build("RelativeNAS", channels=2, cells=3)
    images = random_images(4, 3, 8, 8)
    before = torch.get_rng_state()
    first, again, other = (
        network(images, drop_path=0.5, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_drop_path_leaves_evaluation_alone() -> None:
    images = random_images(4, 3, 8, 8)
    network = build("RelativeNAS", channels=2, cells=3).eval()
    assert torch.equal(network(images), network(images, drop_path=0.9))


@pytest.mark.parametrize(("operation", "drops"), [("skip_connect", False), ("max_pool_3x3", True)])
def test_drop_path_leaves_identities_alone(operation: str, drops: bool) -> None:
    cell = Cell(((Edge(operation, 0), Edge(operation, 1)),))
    module = FixedCell(cell, CellShape(3, 3, 2, reduction=False, older_is_larger=False))
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    module(random_images(4, 3, 8, 8), random_images(4, 3, 8, 8), DropPath(0.9, generator))
    assert torch.equal(generator.get_state(), state) is not drops


@pytest.mark.parametrize("p", [-0.1, 1.0, math.nan])
def test_a_drop_path_out_of_range_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="drop_path must be at least 0 and less than 1"):
        build("RelativeNAS", channels=2, cells=3)(random_images(2, 3, 8, 8), drop_path=p)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 32, 32), (2, 3, 3, 32), (2, 3, 32)])
def test_a_batch_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    network = build("RelativeNAS", channels=2, cells=3)
    with pytest.raises(ValueError, match=r"images must be \[batch, 3, height, width\].*least 4"):
        network(random_images(*shape))


def test_too_small_images_for_imagenet_are_refused() -> None:
    network = build("RelativeNAS", "imagenet", channels=2, cells=3)
    with pytest.raises(ValueError, match=r"of at least 32, got \[2, 3, 31, 64\]"):
        network(random_images(2, 3, 31, 64))


@pytest.mark.parametrize(
    ("arguments", "settings", "reason"),
    [
        (("RelativeNAS", "mnist"), {}, "dataset must be one of cifar10, cifar100, imagenet"),
        (("DARTS_V9",), {}, "name must be one of RelativeNAS"),
        (("RelativeNAS",), {"cells": 0}, "cells must be a whole number of at least 1, got 0"),
        (("RelativeNAS",), {"channels": 2.5}, "channels must be a whole number"),
        (("RelativeNAS",), {"num_classes": True}, "num_classes must be a whole number"),
        (("RelativeNAS", "imagenet"), {"channels": 1}, "channels must be at least 2"),
    ],
)
def test_bad_arguments_are_refused_with_their_name(
    arguments: tuple[str, ...], settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        build(*arguments, **settings)


def test_an_unknown_operation_is_refused() -> None:
    genotype = Genotype.from_text("normal: node2 conv_9x9(0)\nreduce: node2 skip_connect(0)")
    with pytest.raises(ValueError, match=r"operations must be among .*got conv_9x9"):
        build(genotype)


def test_build_takes_a_genotype_and_is_found_at_the_root() -> None:
    network = relativenas_optuna.build(published("DARTS_V1"), channels=2, cells=3)
    assert isinstance(network, CifarNetwork)
    assert isinstance(meta_build("DARTS_V1", "imagenet"), ImageNetNetwork)
    assert network.genotype == published("DARTS_V1")


def test_what_is_neither_a_genotype_nor_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a Genotype or a name, got 3"):
        build(3)  # type: ignore[arg-type]
