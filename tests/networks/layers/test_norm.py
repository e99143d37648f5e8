from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from relativenas_optuna.networks.layers.norm import BatchNorm2d
from tests.helpers.networks import random_images

LARGE = (8, 4, 64, 64)


def pair(channels: int, momentum: float | None = 0.1) -> tuple[BatchNorm2d, nn.BatchNorm2d]:
    """Return this package's batch norm and torch's with the same weights, in float64."""
    ours = BatchNorm2d(channels, momentum=momentum).double()
    with torch.no_grad():
        ours.weight.copy_(1 + 0.5 * random_images(channels))
        ours.bias.copy_(random_images(channels, seed=1))
    theirs = nn.BatchNorm2d(channels, momentum=momentum).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def inputs(*shape: int) -> Tensor:
    x = 3 * random_images(*shape).double() + 5
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


@settings(max_examples=25, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 4, 12, 16, 31, 32]),
    height=st.integers(60, 70),
    width=st.integers(60, 70),
    momentum=st.sampled_from([0.1, None]),
)
def test_folding_gives_what_the_library_gives(
    channels: int, height: int, width: int, momentum: float | None
) -> None:
    ours, theirs = pair(channels, momentum)
    x = inputs(9, channels, height, width)
    weights = random_images(*x.shape, seed=2).double()
    for training in (True, True, False):
        outs = [norm.train(training)(x) for norm in (ours, theirs)]
        torch.testing.assert_close(*outs, rtol=0, atol=1e-11)
        found, expected = (
            torch.autograd.grad(out, [x, *norm.parameters()], weights)
            for out, norm in zip(outs, (ours, theirs), strict=True)
        )
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)
        for name, buffer in ours.named_buffers():
            torch.testing.assert_close(buffer, theirs.get_buffer(name), rtol=0, atol=1e-11)


def test_many_equal_values_have_the_variance_0() -> None:
    norm = BatchNorm2d(4).train()
    x = torch.full(LARGE, 1e4).contiguous(memory_format=torch.channels_last)
    norm(x)
    assert norm.running_var is not None
    assert torch.equal(norm.running_var, torch.full((4,), 0.9))


def test_float32_is_as_exact_as_the_library() -> None:
    ours, theirs = pair(4)
    x = inputs(*LARGE)
    with torch.no_grad():
        exact = theirs.train()(x)
        errors = [(norm.float().train()(x.float()) - exact).abs().max() for norm in (ours, theirs)]
    assert errors[0] <= 2 * errors[1]


def test_a_relu_in_place_may_follow() -> None:
    ours, theirs = pair(4)
    x = inputs(*LARGE)
    found, expected = (
        torch.autograd.grad(nn.Sequential(norm, nn.ReLU(inplace=True))(x).square().sum(), [x])
        for norm in (ours, theirs)
    )
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_small_batch_is_left_to_the_library(memory_format: torch.memory_format) -> None:
    ours, theirs = pair(4)
    x = inputs(2, 4, 8, 8).contiguous(memory_format=memory_format)
    assert torch.equal(ours(x), theirs(x))


def test_one_value_per_channel_is_refused_in_training() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm2d(4)(torch.zeros(1, 4, 1, 1))


def test_autocast_keeps_to_the_library() -> None:
    norm = BatchNorm2d(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = norm(inputs(*LARGE).bfloat16())
    torch.autograd.backward(out.float().sum())
    assert norm.weight.grad is not None
