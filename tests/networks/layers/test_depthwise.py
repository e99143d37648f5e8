from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relativenas_optuna.networks.layers.depthwise import DepthwiseConv2d, every_second
from tests.helpers.networks import random_images

FORMATS = (torch.contiguous_format, torch.channels_last)


def gradients(out: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(out, inputs, random_images(*out.shape, seed=1).to(out))


@settings(max_examples=150, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, 5, 7]),
    stride=st.sampled_from([1, 2]),
    dilation=st.sampled_from([1, 2]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 13), st.integers(1, 13)),
    memory_format=st.sampled_from(FORMATS),
)
def test_values_and_gradients_are_those_of_the_library(
    kernel: int,
    stride: int,
    dilation: int,
    shape: tuple[int, int, int, int],
    memory_format: torch.memory_format,
) -> None:
    module = DepthwiseConv2d(shape[1], kernel, stride, dilation).double()
    x = random_images(*shape).double().contiguous(memory_format=memory_format).requires_grad_()
    plain = F.conv2d(
        x, module.weight, None, stride, dilation * (kernel // 2), dilation, groups=shape[1]
    )
    out = module(x)
    torch.testing.assert_close(out, plain, rtol=0, atol=1e-12)
    inputs = [x, module.weight]
    for ours, theirs in zip(gradients(out, inputs), gradients(plain, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frozen", ["x", "weight"])
def test_only_the_gradients_that_are_asked_for_are_given(frozen: str) -> None:
    module = DepthwiseConv2d(2, 3)
    x = random_images(1, 2, 5, 5).requires_grad_(frozen != "x")
    module.weight.requires_grad_(frozen != "weight")
    torch.autograd.backward(module(x).sum())
    assert (x.grad is None) is (frozen == "x")
    assert (module.weight.grad is None) is (frozen == "weight")


def test_autocast_computes_in_its_type() -> None:
    module = DepthwiseConv2d(4, 5, 1, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = module(random_images(2, 4, 8, 8))
    assert out.dtype == torch.bfloat16
    torch.autograd.backward(out.float().sum())
    assert module.weight.grad is not None


@given(
    st.tuples(st.integers(1, 2), st.integers(2, 3), st.integers(2, 7), st.integers(2, 7)),
    st.integers(0, 1),
    st.sampled_from(FORMATS),
)
def test_every_second_pixel_is_a_slice_and_keeps_the_memory_format(
    shape: tuple[int, int, int, int], first: int, memory_format: torch.memory_format
) -> None:
    x = random_images(*shape).contiguous(memory_format=memory_format).requires_grad_()
    found, plain = every_second(x, first), x[:, :, first::2, first::2]
    assert torch.equal(found, plain)
    assert found.is_contiguous(memory_format=memory_format)
    (ours,), (theirs,) = gradients(found, [x]), gradients(plain, [x])
    assert torch.equal(ours, theirs)
    assert ours.is_contiguous(memory_format=memory_format)
