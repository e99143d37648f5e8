"""The primitive operations of a cell, and the table that names them.

The names and order of the sub-modules are those of the published code, so that its trained weights
load. A leading ReLU is never in place, because several edges read the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relativenas_optuna.networks.layers.depthwise import DepthwiseConv2d, every_second
from relativenas_optuna.networks.layers.norm import BatchNorm2d


class ReLUConvBN(nn.Module):
    """ReLU, 1x1 convolution and batch norm, to give a cell's input the number of channels."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(in_channels, channels, 1, bias=False),
            BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, in_channels, h, w]` to `[b, channels, h, w]`."""
        return self.op(x)  # type: ignore[no-any-return]


class FactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2, one shifted by a pixel: halves height and width."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(in_channels, channels // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(in_channels, channels - channels // 2, 1, stride=2, bias=False)
        self.bn = BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, in_channels, h, w]` to `[b, channels, ceil(h / 2), ceil(w / 2)]`."""
        height, width = x.shape[-2:]
        # The shifted half has no last pixel where the size is odd: it reads a zero there.
        if height % 2 or width % 2:
            x = F.pad(x, (0, width % 2, 0, height % 2))
        # Half of the pixels is read, so they are picked first.
        out = torch.cat(
            [
                F.conv2d(self.relu(every_second(x, first)), convolution.weight)
                for first, convolution in enumerate((self.conv_1, self.conv_2))
            ],
            dim=1,
        )
        return self.bn(out)  # type: ignore[no-any-return]


def _depthwise_separable(
    channels: int, kernel: int, stride: int, dilation: int = 1, *, inplace: bool = False
) -> list[nn.Module]:
    return [
        nn.ReLU(inplace=inplace),
        DepthwiseConv2d(channels, kernel, stride, dilation),
        nn.Conv2d(channels, channels, 1, bias=False),
        BatchNorm2d(channels),
    ]


class _Convolution(nn.Module):
    """A named sequence of layers that starts with a ReLU."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)  # type: ignore[no-any-return]


def _sep_conv(kernel: int) -> Callable[[int, int], nn.Module]:
    def make(channels: int, stride: int) -> nn.Module:
        return _Convolution(
            *_depthwise_separable(channels, kernel, stride),
            # In place: nothing else reads the output of the batch norm before this ReLU.
            *_depthwise_separable(channels, kernel, 1, inplace=True),
        )

    return make


def _dil_conv(kernel: int) -> Callable[[int, int], nn.Module]:
    def make(channels: int, stride: int) -> nn.Module:
        return _Convolution(*_depthwise_separable(channels, kernel, stride, dilation=2))

    return make


def _conv_7x1_1x7(channels: int, stride: int) -> nn.Module:
    return _Convolution(
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, 7), (1, stride), padding=(0, 3), bias=False),
        nn.Conv2d(channels, channels, (7, 1), (stride, 1), padding=(3, 0), bias=False),
        BatchNorm2d(channels),
    )


def _max_pool(channels: int, stride: int) -> nn.Module:
    return nn.MaxPool2d(3, stride, padding=1)


def _avg_pool(channels: int, stride: int) -> nn.Module:
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def _skip_connect(channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)


OPERATIONS: Mapping[str, Callable[[int, int], nn.Module]] = MappingProxyType(
    {
        "max_pool_3x3": _max_pool,
        "avg_pool_3x3": _avg_pool,
        "skip_connect": _skip_connect,
        "sep_conv_3x3": _sep_conv(3),
        "sep_conv_5x5": _sep_conv(5),
        "dil_conv_3x3": _dil_conv(3),
        "dil_conv_5x5": _dil_conv(5),
        "sep_conv_7x7": _sep_conv(7),
        "conv_7x1_1x7": _conv_7x1_1x7,
    }
)
"""Operations by name: functions of the channels and the stride (1 or 2) that return a new module,
which maps `[b, channels, h, w]` to `[b, channels, ceil(h / stride), ceil(w / stride)]`."""


POOLINGS = frozenset({"max_pool_3x3", "avg_pool_3x3"})
"""Operations that have no weights at any stride."""


def operation_module(name: str, channels: int, stride: int, *, pool_norm: bool) -> nn.Module:
    """Return a new module of the operation `name`; with `pool_norm`, poolings end in a batch norm.

    See `OPERATIONS` for the arguments and the shapes.
    """
    module = OPERATIONS[name](channels, stride)
    if pool_norm and name in POOLINGS:
        return nn.Sequential(module, BatchNorm2d(channels))
    return module


def check_operations(names: frozenset[str]) -> None:
    """Raise if a name is not in `OPERATIONS`.

    Raises:
        ValueError: An operation is unknown.
    """
    if unknown := sorted(names - set(OPERATIONS)):
        raise ValueError(
            f"operations must be among {', '.join(OPERATIONS)}, got {', '.join(unknown)[:200]}"
        )


def drop_path(x: Tensor, p: float, generator: torch.Generator | None = None) -> Tensor:
    """Drop whole samples with probability `p`, and scale the others to keep the mean.

    Source: Larsson, Maire, Shakhnarovich, FractalNet, ICLR 2017.

    Args:
        x: Samples, `[b, c, h, w]`.
        p: Probability in [0, 1).
        generator: Generator of the mask, on the device of `x`; None for the default generator.

    Returns:
        `[b, c, h, w]`: every sample is 0 or ``x / (1 - p)``.
    """
    keep = 1.0 - p
    mask = x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(keep, generator=generator)
    return x * mask.div_(keep)
