"""Depthwise convolutions whose gradients are as fast as their forward pass on a CPU.

The CPU library is 5 to 20 times slower for dilated gradients, and for weight gradients of kernels
wider than 3. This module computes both from gradients for which the library has fast code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from relativenas_optuna.networks.layers.tracing import is_traced

_FAST_WIDTH = 3
"""Widest kernel for which the CPU library has fast code for the weight gradient."""


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution that divides height and width by its stride, rounding up.

    Args:
        channels: Channels of input and output.
        kernel: Side of the kernel, odd.
        stride: 1 or 2.
        dilation: Distance of the pixels that the kernel reads; 1 or 2.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(
            channels,
            channels,
            kernel,
            stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=channels,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, channels, h, w]` to `[b, channels, ceil(h / stride), ceil(w / stride)]`."""
        stride, dilation = self.stride[0], self.dilation[0]
        if stride == dilation == 2:
            # It reads every second pixel only: it is an undilated one on a quarter of the image.
            x, stride, dilation = every_second(x), 1, 1
        if (
            x.device.type == "cpu"
            and torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not is_traced()
        ):
            return _Depthwise.apply(x, self.weight, stride, dilation)  # type: ignore[no-any-return]
        padding = dilation * (self.kernel_size[0] // 2)
        return F.conv2d(x, self.weight, None, stride, padding, dilation, self.groups)


def every_second(x: Tensor, first: int = 0) -> Tensor:
    """Return every second pixel, `x[:, :, first::2, first::2]`, without gaps in memory."""
    if is_traced():
        return x[:, :, first::2, first::2]
    return _EverySecond.apply(x, first)  # type: ignore[no-any-return]


def weight_gradient(x: Tensor, gradient: Tensor, kernel: int, stride: int, dilation: int) -> Tensor:
    """Return the gradient of a depthwise convolution's weights.

    A dilated gradient is computed as an undilated one on every `dilation`-th pixel. The gradient of
    a wide kernel is put together from those of narrow kernels.

    Args:
        x: Input, `[b, c, h, w]`.
        gradient: Gradient of the output, `[b, c, ceil(h / stride), ceil(w / stride)]`.
        kernel: Side of the kernel, odd.
        stride: Stride of the convolution; 1 if `dilation` is above 1.
        dilation: Dilation of the convolution, at least 1.

    Returns:
        `[c, 1, kernel, kernel]`.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    if dilation > 1:
        of_phases = weight_gradient(
            _phases(x, dilation), _phases(gradient, dilation), kernel, stride, 1
        )
        return of_phases.view(dilation, -1, 1, kernel, kernel).sum(0)
    reach = kernel // 2
    if kernel <= _FAST_WIDTH or x.shape[3] <= reach:
        return _narrow_gradient(x, gradient, (kernel, kernel), stride, (reach, reach))
    parts = []
    for first in range(0, kernel, _FAST_WIDTH):
        width = min(_FAST_WIDTH, kernel - first)
        # The columns that this part of the kernel reads; a negative padding cuts them off.
        # Rows are padded here too: the library is slow where its own padding is half of an image.
        read = F.pad(x, (reach - first, first - reach + width - 1, reach, reach))
        parts.append(_narrow_gradient(read, gradient, (kernel, width), stride, (0, 0)))
    return torch.cat(parts, dim=3)


def _narrow_gradient(
    x: Tensor, gradient: Tensor, kernel: tuple[int, int], stride: int, padding: tuple[int, int]
) -> Tensor:
    channels = x.shape[1]
    shape = x.new_empty(()).expand(channels, 1, *kernel)
    _, found, _ = torch.ops.aten.convolution_backward(
        gradient, x, shape, None, (stride,) * 2, padding, (1, 1), False, (0, 0), channels,
        (False, True, False),
    )  # fmt: skip
    return found  # type: ignore[no-any-return]


def _phases(x: Tensor, step: int) -> Tensor:
    """Split images into those of every `step`-th pixel: rows to the batch, columns to channels.

    In this layout the columns need no copy, and the rows are copied whole.

    Args:
        x: `[b, c, h, w]`, channels last.
        step: Distance of the pixels.

    Returns:
        `[b * step, step * c, ceil(h / step), ceil(w / step)]`, channels last, zero where `x` ends.
    """
    height, width = x.shape[-2:]
    if height % step or width % step:
        x = F.pad(x, (0, -width % step, 0, -height % step))
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // step, step, width * channels)
    shape = (batch * step, height // step, width // step, step * channels)
    return rows.transpose(1, 2).reshape(shape).permute(0, 3, 1, 2)


@lru_cache
def _backwards(count: int) -> Tensor:
    return torch.arange(count - 1, -1, -1, device="cpu")


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.dilation = stride, dilation
        padding = dilation * (weight.shape[2] // 2)
        return F.conv2d(x, weight, None, stride, padding, dilation, weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, dilation = ctx.stride, ctx.dilation
        channels, kernel = weight.shape[0], weight.shape[2]
        padding = dilation * (kernel // 2)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            if stride == 1:
                # Flipped in both directions; flip() itself takes as long as a small convolution.
                turned = weight.flatten(1).index_select(1, _backwards(kernel**2)).view_as(weight)
                of_x = F.conv2d(gradient, turned, None, 1, padding, dilation, channels)
            else:
                of_x, _, _ = torch.ops.aten.convolution_backward(
                    gradient, x, weight, None, (stride,) * 2, (padding,) * 2, (dilation,) * 2,
                    False, (0, 0), channels, (True, False, False),
                )  # fmt: skip
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(x, gradient, kernel, stride, dilation)
        return of_x, of_weight, None, None


class _EverySecond(torch.autograd.Function):
    """Slicing with a gradient in the memory format of the image."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: int) -> Tensor:
        ctx.like, ctx.first = x.new_empty(()).expand(x.shape), first
        ctx.format = (
            torch.channels_last
            if x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        return x[:, :, first::2, first::2].contiguous(memory_format=ctx.format)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        whole = torch.zeros_like(ctx.like, memory_format=ctx.format)
        whole[:, :, ctx.first :: 2, ctx.first :: 2] = gradient
        return whole, None
