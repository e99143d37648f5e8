"""The search network of the published procedure, of torch's own layers.

Names of tensors are those of `Supernet`, so both can hold the same weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relativenas_optuna.networks.layers.cell import STEM_MULTIPLIER, CellShape, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces import CellSpace, Genotype
    from relativenas_optuna.spaces.genotype import Cell


class Layers(nn.Module):
    """Layers one after the other."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, c, h, w]` to the same, or half the size."""
        result: Tensor = self.op(x)
        return result


class Reduce(nn.Module):
    """Two 1x1 convolutions of stride 2, the second of the image without its first pixels."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, channels // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(inputs, channels - channels // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, inputs, h, w]` to `[b, channels, h / 2, w / 2]`."""
        x = F.relu(x)
        result: Tensor = self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))
        return result


def pointwise(inputs: int, channels: int) -> Layers:
    """ReLU, 1x1 convolution and batch norm."""
    return Layers(nn.ReLU(), nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels))


def separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, depthwise and 1x1 convolution and batch norm."""
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


OPERATIONS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "max_pool_3x3": lambda c, s: nn.MaxPool2d(3, s, padding=1),
    "avg_pool_3x3": lambda c, s: nn.AvgPool2d(3, s, padding=1, count_include_pad=False),
    "skip_connect": lambda c, s: nn.Identity() if s == 1 else Reduce(c, c),
    "sep_conv_3x3": lambda c, s: Layers(*separable(c, 3, s), *separable(c, 3, 1)),
    "sep_conv_5x5": lambda c, s: Layers(*separable(c, 5, s), *separable(c, 5, 1)),
    "dil_conv_3x3": lambda c, s: Layers(*separable(c, 3, s, 2)),
    "dil_conv_5x5": lambda c, s: Layers(*separable(c, 5, s, 2)),
}


class SearchCell(nn.Module):
    """Every operation on every edge; runs those of one cell."""

    def __init__(self, space: CellSpace, shape: CellShape) -> None:
        super().__init__()
        older = Reduce if shape.older_is_larger else pointwise
        self.preprocess0 = older(shape.older_channels, shape.channels)
        self.preprocess1 = pointwise(shape.newer_channels, shape.channels)
        self.reduction = shape.reduction
        self.operations = nn.ModuleDict(
            {
                f"node{node}_input{read}_{name}": OPERATIONS[name](
                    shape.channels, shape.stride(read)
                )
                for node in range(2, space.nodes + 2)
                for read in range(node)
                for name in space.operations
            }
        )

    def forward(self, older: Tensor, newer: Tensor, cell: Cell) -> Tensor:
        """Run the operations that the cell has."""
        states = [self.preprocess0(older), self.preprocess1(newer)]
        for number, node in enumerate(cell.nodes, start=2):
            one, other = (
                self.operations[f"node{number}_input{edge.input}_{edge.operation}"](
                    states[edge.input]
                )
                for edge in node
            )
            states.append(one + other)
        return torch.cat([states[number] for number in cell.concat], dim=1)


class SearchNetwork(nn.Module):
    """The whole search network, for the path of one genotype."""

    def __init__(
        self, space: CellSpace, genotype: Genotype, settings: SearchSettings, classes: int
    ) -> None:
        super().__init__()
        self.genotype = genotype
        width = STEM_MULTIPLIER * settings.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        shapes, outputs = stack(
            cells=settings.cells,
            channels=settings.channels,
            stem_channels=width,
            nodes=(space.nodes, space.nodes),
        )
        self.cells = nn.ModuleList(SearchCell(space, shape) for shape in shapes)
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(outputs[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """`[b, 3, h, w]` to logits `[b, classes]`."""
        older = newer = self.stem(images)
        for cell in self.cells:
            graph = self.genotype.reduce if cell.reduction else self.genotype.normal
            older, newer = newer, cell(older, newer, graph)
        logits: Tensor = self.classifier(self.global_pooling(newer).flatten(1))
        return logits

    def uses(self, name: str) -> bool:
        """Return True if a tensor is outside the operations, or in one that the genotype uses."""
        if ".operations." not in name:
            return True
        _, index, _, key, *_ = name.split(".")
        cell = self.cells[int(index)]
        graph = self.genotype.reduce if cell.reduction else self.genotype.normal
        return any(
            key == f"node{number}_input{edge.input}_{edge.operation}"
            for number, node in enumerate(graph.nodes, start=2)
            for edge in node
        )
