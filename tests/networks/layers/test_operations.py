from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relativenas_optuna.networks import OPERATIONS, FactorizedReduce, drop_path
from relativenas_optuna.networks.layers.operations import check_operations
from relativenas_optuna.spaces import PAPER_OPERATIONS, PUBLISHED
from tests.helpers.networks import random_images


def test_the_table_covers_the_paper_and_every_published_architecture() -> None:
    published = {name for p in PUBLISHED.values() for name in p.genotype.operations}
    assert set(PAPER_OPERATIONS) | published <= set(OPERATIONS)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 2)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_keeps_channels_and_divides_the_size_rounding_up(
    name: str, size: tuple[int, int], stride: int
) -> None:
    out = OPERATIONS[name](6, stride).eval()(random_images(2, 6, *size))
    assert out.shape == (2, 6, *(math.ceil(length / stride) for length in size))


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operation_changes_its_input(name: str) -> None:
    x = random_images(2, 4, 6, 6)
    before = x.clone()
    for stride in (1, 2):
        OPERATIONS[name](4, stride)(x)
    assert torch.equal(x, before)


def norm(x: Tensor) -> Tensor:
    """Batch norm with first weights, written out."""
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


def depthwise(x: Tensor, kernels: Tensor, *, stride: int, dilation: int) -> Tensor:
    """Depthwise convolution as a weighted sum of shifted images."""
    size = kernels.shape[-1]
    reach = dilation * (size - 1) // 2
    padded = F.pad(x, (reach,) * 4)
    height, width = x.shape[-2:]
    total = torch.zeros_like(x)
    for row in range(size):
        for column in range(size):
            top, left = row * dilation, column * dilation
            shifted = padded[:, :, top : top + height, left : left + width]
            total += kernels[:, 0, row, column].view(1, -1, 1, 1) * shifted
    return total[:, :, ::stride, ::stride]


def pointwise(x: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("oi,bihw->bohw", weights[:, :, 0, 0], x)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("name", "dilations"),
    [
        ("sep_conv_3x3", (1, 1)),
        ("sep_conv_5x5", (1, 1)),
        ("sep_conv_7x7", (1, 1)),
        ("dil_conv_3x3", (2,)),
        ("dil_conv_5x5", (2,)),
    ],
)
def test_separable_convolutions_follow_their_definition(
    name: str, dilations: tuple[int, ...], stride: int, size: tuple[int, int]
) -> None:
    operation = OPERATIONS[name](3, stride)
    weights = [module.weight for module in operation.modules() if isinstance(module, nn.Conv2d)]
    assert len(weights) == 2 * len(dilations)
    x = expected = random_images(2, 3, *size)
    for stage, dilation in enumerate(dilations):
        expected = depthwise(
            expected.relu(),
            weights[2 * stage],
            stride=stride if stage == 0 else 1,
            dilation=dilation,
        )
        expected = norm(pointwise(expected, weights[2 * stage + 1]))
    torch.testing.assert_close(operation(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_long_convolutions_equal_one_7x7_convolution(stride: int) -> None:
    operation = OPERATIONS["conv_7x1_1x7"](3, stride)
    across, down = (m.weight for m in operation.modules() if isinstance(m, nn.Conv2d))
    kernel = torch.einsum("mirc,omRC->oiRc", across, down)
    x = random_images(2, 3, 9, 9)
    expected = norm(F.conv2d(x.relu(), kernel, stride=stride, padding=3))
    torch.testing.assert_close(operation(x), expected, rtol=1e-4, atol=1e-4)


def test_average_pooling_does_not_count_the_border() -> None:
    out = OPERATIONS["avg_pool_3x3"](2, 1)(torch.ones(1, 2, 4, 4))
    assert torch.equal(out, torch.ones_like(out))


def test_pooling_and_skipping_have_no_weights() -> None:
    for name in ("max_pool_3x3", "avg_pool_3x3", "skip_connect"):
        assert not list(OPERATIONS[name](4, 1).parameters())


def test_skipping_at_stride_1_is_the_identity() -> None:
    x = random_images(1, 2, 3, 3)
    assert OPERATIONS["skip_connect"](2, 1)(x) is x


def test_factorized_reduce_reads_even_pixels_and_odd_pixels() -> None:
    module = FactorizedReduce(3, 4)
    x = random_images(2, 3, 6, 8)
    halves = [
        pointwise(x.relu()[:, :, offset::2, offset::2], convolution.weight)
        for offset, convolution in enumerate((module.conv_1, module.conv_2))
    ]
    expected = norm(torch.cat(halves, dim=1))
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-4)


def test_factorized_reduce_gives_an_odd_number_of_channels_too() -> None:
    assert FactorizedReduce(3, 5)(random_images(2, 3, 4, 4)).shape == (2, 5, 2, 2)


def test_unknown_operations_are_named() -> None:
    with pytest.raises(ValueError, match=r"among max_pool_3x3, .*got conv_9x9, none"):
        check_operations(frozenset({"none", "skip_connect", "conv_9x9"}))


def test_drop_path_zeroes_or_scales_whole_samples() -> None:
    x = torch.ones(4000, 2, 1, 1)
    out = drop_path(x, 0.25, torch.Generator().manual_seed(0))
    assert torch.equal(out[:, 0], out[:, 1])
    assert sorted(set(out.flatten().tolist())) == [0.0, pytest.approx(1 / 0.75)]
    assert out.mean().item() == pytest.approx(1.0, abs=0.05)


def test_drop_path_draws_from_its_generator_alone() -> None:
    x = random_images(32, 2, 3, 3)
    before = torch.get_rng_state()
    first, again = (drop_path(x, 0.5, torch.Generator().manual_seed(7)) for _ in range(2))
    other = drop_path(x, 0.5, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_drop_path_keeps_the_number_format() -> None:
    assert drop_path(torch.ones(2, 1, 1, 1, dtype=torch.bfloat16), 0.3).dtype == torch.bfloat16
