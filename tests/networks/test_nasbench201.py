from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna.networks import (
    Cost,
    NASBench201Network,
    NASBench201Supernet,
    check_supernet,
    cost,
    draw_weights,
)
from relativenas_optuna.spaces import NASBench201, NASBench201Cell
from tests.helpers.networks import random_images

SPACE = NASBench201()


def small_supernet() -> NASBench201Supernet:
    supernet = NASBench201Supernet(SPACE, channels=3, cells=1, num_classes=4)
    draw_weights(supernet, torch.Generator().manual_seed(0))
    return supernet


# The least and the largest of the published table: parameters and FLOPs in millions, of which the
# latter count the additions of the classifier's bias.
@pytest.mark.parametrize(
    ("operation", "classes", "parameters", "flops"),
    [
        ("none", 10, 0.073306, 7.78305),
        ("skip_connect", 10, 0.073306, 7.78305),
        ("nor_conv_3x3", 10, 1.531546, 220.11969),
        ("avg_pool_3x3", 100, 0.079156, 7.7889),
        ("nor_conv_3x3", 100, 1.537396, 220.12554),
    ],
)
def test_costs_are_those_of_the_published_table(
    operation: str, classes: int, parameters: float, flops: float
) -> None:
    with torch.device("meta"):
        network = NASBench201Network(NASBench201Cell((operation,) * 6), num_classes=classes)
    assert cost(network, (3, 32, 32)) == Cost(
        parameters=round(parameters * 1e6), multiply_adds=round(flops * 1e6) - classes
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_parameters_of_any_architecture_equal_a_sum_by_hand(seed: int) -> None:
    cell = SPACE.random(np.random.default_rng(seed))
    with torch.device("meta"):
        network = NASBench201Network(cell)
    kernels = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}
    own = sum(
        5 * (kernels[name] * channels**2 + 2 * channels)
        for channels in (16, 32, 64)
        for name in cell.operations
        if name in kernels
    )
    assert cost(network, (3, 32, 32)).parameters == 73_306 + own


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 7, 8]))
@settings(max_examples=10, deadline=None)
def test_a_path_equals_the_standalone_network_to_the_last_bit(seed: int, size: int) -> None:
    supernet = small_supernet().eval()
    genotype = SPACE.random(np.random.default_rng(seed))
    images = random_images(2, 3, size, size, seed=seed)
    standalone = supernet.standalone(genotype)
    logits = supernet(images, genotype)
    assert logits.shape == (2, 4)
    assert torch.equal(logits, standalone(images))
    assert set(standalone.state_dict()) == set(supernet.tensors(genotype))


def test_the_protocol_holds() -> None:
    check_supernet(SPACE, small_supernet(), random_images(4, 3, 8, 8), classes=4)


@torch.no_grad()
def test_a_cell_computes_what_its_text_says() -> None:
    """Node by node with plain functions, on a cell in which every operation occurs."""
    supernet = small_supernet().eval()
    genotype = SPACE.parse(
        "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    )
    x = random_images(2, 3, 6, 6)
    part = supernet.cells[0]
    seen: list[Tensor] = []
    part.register_forward_hook(lambda module, args, output: seen.extend([args[0], output]))
    supernet(x, genotype)
    first, last = seen
    own = supernet.tensors(genotype)

    def conv(key: str, x: Tensor) -> Tensor:
        prefix = f"cells.0.operations.{key}"
        weight = own[f"{prefix}.1.weight"]
        y = torch.nn.functional.conv2d(x.relu(), weight, padding=weight.shape[-1] // 2)
        return y.div((1 + 1e-5) ** 0.5)

    node1 = conv("edge1_0_nor_conv_3x3", first)
    node2 = torch.nn.functional.avg_pool2d(node1, 3, 1, 1, count_include_pad=False)
    node3 = first + conv("edge3_1_nor_conv_1x1", node1) + conv("edge3_2_nor_conv_3x3", node2)
    torch.testing.assert_close(last, node3)


def test_stages_double_channels_and_halve_the_size() -> None:
    supernet = NASBench201Supernet(SPACE, channels=2, cells=2)
    shapes: list[tuple[int, ...]] = []
    for part in supernet.cells:
        part.register_forward_hook(lambda module, args, output: shapes.append(output.shape[1:]))
    supernet(random_images(2, 3, 32, 32), NASBench201Cell(("skip_connect",) * 6))
    assert shapes == [(2, 32, 32)] * 2 + [(4, 16, 16)] * 3 + [(8, 8, 8)] * 3
    assert [after[0] - before[0] for before, after in pairwise(shapes)] == [0, 2, 0, 0, 4, 0, 0]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="cells must be a whole number of at least 1, got 0"):
        NASBench201Supernet(SPACE, cells=0)
    supernet = small_supernet()
    with pytest.raises(ValueError, match=r"images must be \[batch, 3, .*got \[2, 3, 3, 3\]"):
        supernet(random_images(2, 3, 3, 3), NASBench201Cell(("none",) * 6))
    small = NASBench201Supernet(NASBench201(operations=("none",)), channels=2, cells=1)
    cell = NASBench201Cell(("skip_connect",) * 6)
    for method in (small.tensors, small.standalone, small.parameter_count):
        with pytest.raises(ValueError, match="genotype is not in this space"):
            method(cell)
    with pytest.raises(ValueError, match="genotype is not in this space"):
        small(random_images(2, 3, 8, 8), cell)
