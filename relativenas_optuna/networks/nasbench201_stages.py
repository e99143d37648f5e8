"""Cells and their stacking in NAS-Bench-201, shared by its two networks."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.feature_maps import Output
from relativenas_optuna.networks.layers.cell import DropPath, check_images, check_sizes
from relativenas_optuna.networks.layers.operations import drop_path as drop_samples
from relativenas_optuna.spaces.nasbench201 import EDGES, NASBench201Cell


def _conv(in_channels: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a ReLU, a convolution and a batch norm, in this order."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
    )


# "none" has no module: its edge adds nothing.
_OPERATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: _conv(channels, channels, 1),
    "nor_conv_3x3": lambda channels: _conv(channels, channels, 3),
    "avg_pool_3x3": lambda channels: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
}


def _key(node: int, read: int, operation: str) -> str:
    """Return the name of an operation in its cell, for example ``edge2_1_nor_conv_3x3``."""
    return f"edge{node}_{read}_{operation}"


class StageCell(nn.Module):
    """A cell with some operations on every edge; `forward` runs one of them on each."""

    def __init__(self, channels: int, operations: Iterable[tuple[int, int, str]]) -> None:
        super().__init__()
        self.operations = nn.ModuleDict(
            {
                _key(node, read, operation): _OPERATIONS[operation](channels)
                for node, read, operation in operations
                if operation != "none"
            }
        )

    def forward(self, x: Tensor, cell: NASBench201Cell, dropping: DropPath) -> Tensor:
        """Map `[b, channels, h, w]` to the same shape; a node is the sum of its edges."""
        drops = self.training and dropping.p > 0
        states = [x]
        for node in range(1, EDGES[-1][0] + 1):
            terms = []
            for module, read in self._into(node, cell):
                term = module(states[read])
                if drops and not isinstance(module, nn.Identity):
                    term = drop_samples(term, dropping.p, dropping.generator)
                terms.append(term)
            states.append(reduce(operator.add, terms) if terms else torch.zeros_like(x))
        return states[-1]

    def chosen(self, cell: NASBench201Cell) -> Iterator[tuple[str, nn.Module]]:
        """Yield name and module of every operation of `cell` that has a module."""
        for node, read, operation in cell.edges:
            if operation != "none":
                key = _key(node, read, operation)
                yield key, self.operations[key]

    def _into(self, node: int, cell: NASBench201Cell) -> Iterator[tuple[nn.Module, int]]:
        for number, read, operation in cell.edges:
            if number == node and operation != "none":
                yield self.operations[_key(node, read, operation)], read


class Reduction(nn.Module):
    """The residual block between two stages: half the height and width, twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_a = _conv(channels, 2 * channels, 3, stride=2)
        self.conv_b = _conv(2 * channels, 2 * channels, 3)
        self.downsample = nn.Sequential(
            # Rounded up as the convolutions do, which the sizes of the paper do not need.
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[b, channels, h, w]` to `[b, 2 * channels, ceil(h / 2), ceil(w / 2)]`."""
        residual: Tensor = self.downsample(x)
        return residual + cast("Tensor", self.conv_b(self.conv_a(x)))


class Stages(nn.Module):
    """A base class: a stem, three stages of cells with reductions between them, a classifier."""

    least_size = 4
    """Least height and width of an image, of which the reductions leave one pixel."""

    def __init__(
        self,
        operations: Iterable[tuple[int, int, str]],
        *,
        channels: int,
        cells: int,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        check_sizes(
            channels=channels, cells=cells, num_classes=num_classes, in_channels=in_channels
        )
        self.channels, self.stage_cells = channels, cells
        self.num_classes, self.in_channels = num_classes, in_channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        edges = tuple(operations)
        parts: list[nn.Module] = []
        for stage in range(3):
            if stage:
                parts.append(Reduction(channels))
                channels *= 2
            parts += [StageCell(channels, edges) for _ in range(cells)]
        self.cells = nn.ModuleList(parts)
        self.lastact = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier: Any = nn.Linear(channels, num_classes)

    def outputs(self) -> Iterator[Output]:
        """Yield the output of the stem and of each cell and reduction."""
        channels, stride = self.channels, 1
        yield Output("stem", channels, stride)
        for index, part in enumerate(self.cells):
            if isinstance(part, Reduction):
                channels, stride = 2 * channels, 2 * stride
            yield Output(f"cells.{index}", channels, stride)

    def features(
        self,
        images: Tensor,
        cell: NASBench201Cell,
        dropping: DropPath,
        keep: Collection[str] = (),
        *,
        stop: bool = False,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run stem and cells on images `[b, in_channels, h, w]`.

        Args:
            images: The batch.
            cell: The architecture.
            dropping: Settings of drop-path.
            keep: Names of cells, for example "cells.4", whose outputs are returned.
            stop: True to end as soon as these outputs are there.

        Returns:
            The last output, and the kept outputs by name.
        """
        check_images(images, self.in_channels, self.least_size)
        x = self.stem(images)
        kept: dict[str, Tensor] = {}
        for index, part in enumerate(self.cells):
            if stop and len(kept) == len(keep):
                break
            x = part(x, cell, dropping) if isinstance(part, StageCell) else part(x)
            if (name := f"cells.{index}") in keep:
                kept[name] = x
        return x, kept

    def run(self, images: Tensor, cell: NASBench201Cell, dropping: DropPath) -> Tensor:
        """Return logits `[b, num_classes]` for images `[b, in_channels, h, w]`."""
        x, _ = self.features(images, cell, dropping)
        logits: Tensor = self.classifier(self.global_pooling(self.lastact(x)).flatten(1))
        return logits
