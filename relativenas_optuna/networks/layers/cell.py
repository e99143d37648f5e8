"""Cells and their stacking, shared by the stand-alone networks and the supernet."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.feature_maps import Output
from relativenas_optuna.networks.layers.norm import BatchNorm2d
from relativenas_optuna.networks.layers.operations import (
    FactorizedReduce,
    ReLUConvBN,
    drop_path,
    operation_module,
)
from relativenas_optuna.spaces.genotype import Cell

STEM_MULTIPLIER = 3
"""Channels behind the CIFAR stem, in multiples of the initial channels."""


@dataclass(frozen=True)
class DropPath:
    """Settings of drop-path in one forward pass.

    Attributes:
        p: Probability in [0, 1).
        generator: Generator of the masks, on the device of the images; None for the default one.
    """

    p: float = 0.0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.p < 1.0:
            raise ValueError(f"drop_path must be at least 0 and less than 1, got {self.p}")


NO_DROP_PATH = DropPath()


@dataclass(frozen=True)
class CellShape:
    """Sizes of a cell and its place in the network.

    Attributes:
        older_channels: Channels of input 0, the cell before the previous one.
        newer_channels: Channels of input 1, the previous cell.
        channels: Channels of every node.
        reduction: True if the cell halves height and width.
        older_is_larger: True if input 0 has twice the height and width of input 1.
    """

    older_channels: int
    newer_channels: int
    channels: int
    reduction: bool
    older_is_larger: bool

    def stride(self, number: int) -> int:
        """Return the stride of an edge by its input: 2 for inputs 0 and 1 of a reduction cell."""
        return 2 if self.reduction and number < 2 else 1


def stack(
    *,
    cells: int,
    channels: int,
    stem_channels: int,
    nodes: tuple[int, int],
    stem_reduces: bool = False,
) -> tuple[tuple[CellShape, ...], tuple[int, ...]]:
    """Lay out the cells of a network; channels double at cells ``n // 3`` and ``2 * n // 3``.

    Args:
        cells: Number of cells.
        channels: Channels of the first cell's nodes.
        stem_channels: Channels of both inputs of the first cell.
        nodes: Nodes that a normal cell and a reduction cell concatenate.
        stem_reduces: True if input 0 of the first cell has twice the height and width of input 1.

    Returns:
        The shape of each cell, and the number of output channels of each cell.
    """
    shapes: list[CellShape] = []
    outputs: list[int] = []
    older = newer = stem_channels
    larger = stem_reduces
    for index in range(cells):
        reduction = index in {cells // 3, 2 * cells // 3}
        if reduction:
            channels *= 2
        shapes.append(CellShape(older, newer, channels, reduction, larger))
        older, newer, larger = newer, channels * nodes[reduction], reduction
        outputs.append(newer)
    return tuple(shapes), tuple(outputs)


def cell_outputs(
    stride: int, shapes: tuple[CellShape, ...], channels: tuple[int, ...]
) -> Iterator[Output]:
    """Yield the output of each cell.

    Args:
        stride: Stride of the newer output of the stem.
        shapes: Shape of each cell.
        channels: Number of output channels of each cell.
    """
    for index, (shape, count) in enumerate(zip(shapes, channels, strict=True)):
        stride *= 2 if shape.reduction else 1
        yield Output(f"cells.{index}", count, stride)


class CellModule(nn.Module):
    """A base class for cells: it prepares the two inputs and runs a graph of given operations."""

    def __init__(self, shape: CellShape) -> None:
        super().__init__()
        older = FactorizedReduce if shape.older_is_larger else ReLUConvBN
        self.preprocess0 = older(shape.older_channels, shape.channels)
        self.preprocess1 = ReLUConvBN(shape.newer_channels, shape.channels)
        self.reduction = shape.reduction

    def run(
        self,
        cell: Cell,
        operations: Iterable[nn.Module],
        older: Tensor,
        newer: Tensor,
        dropping: DropPath,
    ) -> Tensor:
        """Run the graph of `cell`.

        Args:
            cell: The graph.
            operations: One module per edge, node by node.
            older: Input 0, `[b, older_channels, h, w]`, or `[b, older_channels, 2 h, 2 w]` if
                `older_is_larger`.
            newer: Input 1, `[b, newer_channels, h, w]`.
            dropping: Settings of drop-path, which applies in training only and not to identities.

        Returns:
            `[b, len(cell.concat) * channels, h, w]`; half of h and w from a reduction cell.
        """
        drops = self.training and dropping.p > 0
        states = [self.preprocess0(older), self.preprocess1(newer)]
        modules = iter(operations)
        for node in cell.nodes:
            terms = []
            for edge, module in zip(node, modules, strict=False):
                term = module(states[edge.input])
                if drops and not isinstance(module, nn.Identity):
                    term = drop_path(term, dropping.p, dropping.generator)
                terms.append(term)
            states.append(reduce(operator.add, terms))
        return torch.cat([states[number] for number in cell.concat], dim=1)


class FixedCell(CellModule):
    """A cell with one module per edge.

    Args:
        cell: The graph.
        shape: Sizes of the cell.
        pool_norm: True to add an affine batch norm after each pooling.
    """

    def __init__(self, cell: Cell, shape: CellShape, *, pool_norm: bool = False) -> None:
        super().__init__(shape)
        self.cell = cell
        self._ops = nn.ModuleList(
            operation_module(
                edge.operation, shape.channels, shape.stride(edge.input), pool_norm=pool_norm
            )
            for edge in cell.edges
        )

    def forward(self, older: Tensor, newer: Tensor, dropping: DropPath) -> Tensor:
        """Return the output of the cell; see `CellModule.run`."""
        return self.run(self.cell, self._ops, older, newer, dropping)


def cifar_stem(in_channels: int, channels: int) -> nn.Sequential:
    """Return the stem, a 3x3 convolution with `3 * channels` outputs and a batch norm."""
    return nn.Sequential(
        nn.Conv2d(in_channels, STEM_MULTIPLIER * channels, 3, padding=1, bias=False),
        BatchNorm2d(STEM_MULTIPLIER * channels),
    )


def check_sizes(**sizes: object) -> None:
    """Raise if a size is not a whole number of at least 1.

    Raises:
        ValueError: A size is not allowed; the message names the first one.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")


def check_images(images: Tensor, in_channels: int, least: int) -> None:
    """Raise unless a batch is `[b, in_channels, h, w]` with h and w of at least `least`.

    Raises:
        ValueError: The batch has another shape.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] != in_channels or min(shape[2:]) < least:
        raise ValueError(
            f"images must be [batch, {in_channels}, height, width] with height and width of at "
            f"least {least}, got {list(shape)}"
        )
