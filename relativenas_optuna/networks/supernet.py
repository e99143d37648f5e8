"""The supernet of cells: one module for each operation of each edge, shared by all genotypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property, lru_cache
from typing import cast

import torch
from torch import Tensor, nn

from relativenas_optuna.networks.layers.cell import (
    STEM_MULTIPLIER,
    CellModule,
    CellShape,
    DropPath,
    check_images,
    check_sizes,
    cifar_stem,
    stack,
)
from relativenas_optuna.networks.layers.operations import OPERATIONS, check_operations
from relativenas_optuna.networks.network import CifarNetwork
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.spaces.genotype import Cell, Genotype
from relativenas_optuna.spaces.registry import NetworkSizes


class SharedCell(CellModule):
    """A cell with one module for each operation of the space on each edge."""

    def __init__(self, space: CellSpace, shape: CellShape) -> None:
        super().__init__(shape)
        self.operations = nn.ModuleDict(
            {
                _key(number, read, operation): OPERATIONS[operation](
                    shape.channels, shape.stride(read)
                )
                for number in range(2, space.nodes + 2)
                for read in range(number)
                for operation in space.operations
            }
        )

    def forward(
        self,
        cell: Cell,
        keys: tuple[str, ...],
        older: Tensor,
        newer: Tensor,
        dropping: DropPath,
    ) -> Tensor:
        """Run `cell` with the operations named by `keys`, edge by edge; see `CellModule.run`."""
        return self.run(cell, [self.operations[key] for key in keys], older, newer, dropping)

    @cached_property
    def parameter_counts(self) -> dict[str, int]:
        """Number of learnt parameters of each operation, by its name."""
        return {key: _parameter_count(module) for key, module in self.operations.items()}


class Supernet(nn.Module):
    """A supernet: the weights of all genotypes of a cell space in one network.

    An edge that a genotype holds twice is one module used twice. Everything outside the operations
    (stem, preparation of the cells' inputs, classifier) is common to all genotypes. In evaluation
    mode a path gives the logits of `standalone` to the last bit: both run the same code.

    Args:
        space: Search space, whose genotypes can be run.
        channels: Channels of the first cell's nodes; they double at every reduction.
        cells: Number of cells.
        num_classes: Number of classes.
        in_channels: Channels of an image.

    Raises:
        ValueError: An operation of the space is unknown, or a size is out of range.

    Example:
        >>> import numpy as np
        >>> space = CellSpace(nodes=2)
        >>> supernet = Supernet(space, channels=4, cells=3)
        >>> genotype = space.random(np.random.default_rng(0))
        >>> supernet(torch.zeros(2, 3, 16, 16), genotype).shape
        torch.Size([2, 10])
    """

    least_size = CifarNetwork.least_size

    def __init__(
        self,
        space: CellSpace,
        *,
        channels: int = 16,
        cells: int = 8,
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_operations(frozenset(space.operations))
        check_sizes(
            channels=channels, cells=cells, num_classes=num_classes, in_channels=in_channels
        )
        self.space = space
        self.channels = channels
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.stem = cifar_stem(in_channels, channels)
        shapes, outputs = stack(
            cells=cells,
            channels=channels,
            stem_channels=STEM_MULTIPLIER * channels,
            nodes=(space.nodes, space.nodes),
        )
        self.cells = nn.ModuleList(SharedCell(space, shape) for shape in shapes)
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(outputs[-1], num_classes)

    def forward(
        self,
        images: Tensor,
        genotype: Genotype,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the logits of a batch for the path of a genotype.

        Args:
            images: `[b, in_channels, h, w]`, normalised; h and w of at least 4.
            genotype: A genotype of the space.
            drop_path: Probability in [0, 1) that an edge is dropped, per sample; training only.
            generator: Generator of the drop-path masks, on the device of the images; None for the
                default generator.

        Returns:
            Logits `[b, num_classes]`.

        Raises:
            ValueError: The genotype is not in the space, or the shape of the batch or `drop_path`
                is out of range.
        """
        check_images(images, self.in_channels, self.least_size)
        normal, reduction = _cell_keys(self.space, genotype)
        dropping = DropPath(drop_path, generator)
        older = newer = self.stem(images)
        for cell in self._shared_cells():
            graph, keys = (
                (genotype.reduce, reduction) if cell.reduction else (genotype.normal, normal)
            )
            older, newer = newer, cell(graph, keys, older, newer, dropping)
        logits: Tensor = self.classifier(self.global_pooling(newer).flatten(1))
        return logits

    def tensors(self, genotype: Genotype) -> dict[str, Tensor]:
        """Return the own parameters and buffers that `forward` reads for a genotype, by name.

        They are those of its operations, and all outside the operations. The names are those of
        `state_dict`.

        Raises:
            ValueError: The genotype is not in the space.
        """
        found: dict[str, Tensor] = {}
        for name, module in self._modules_outside():
            module.state_dict(destination=found, prefix=f"{name}.", keep_vars=True)
        return found | self._operation_tensors(genotype)

    def operation_names(self, genotype: Genotype) -> frozenset[str]:
        """Return the names of the `tensors` that belong to the genotype's operations.

        Raises:
            ValueError: The genotype is not in the space.
        """
        return frozenset(self._operation_tensors(genotype))

    def parameter_count(self, genotype: Genotype) -> int:
        """Return the number of learnt parameters of `standalone(genotype)` without building it.

        Raises:
            ValueError: The genotype is not in the space.
        """
        # An edge that occurs twice counts twice, as it is two modules in the stand-alone network.
        return self._parameters_outside + sum(
            cell.parameter_counts[key] for _, cell, keys in self._cells_of(genotype) for key in keys
        )

    def standalone(self, genotype: Genotype) -> CifarNetwork:
        """Return the stand-alone network of a genotype with copies of these weights.

        Its mode, device and memory format are those of this network. An edge that the genotype
        holds twice becomes two modules with equal weights.

        Raises:
            ValueError: The genotype is not in the space.
        """
        state: dict[str, Tensor] = {}
        for name, module in self._modules_outside():
            module.state_dict(destination=state, prefix=f"{name}.")
        for index, cell, keys in self._cells_of(genotype):
            for edge, key in enumerate(keys):
                module = cell.operations[key]
                module.state_dict(destination=state, prefix=f"cells.{index}._ops.{edge}.")
        with torch.device("meta"):
            network = CifarNetwork(
                genotype,
                channels=self.channels,
                cells=len(self.cells),
                num_classes=self.num_classes,
                in_channels=self.in_channels,
            )
        network.load_state_dict({name: t.clone() for name, t in state.items()}, assign=True)
        return network.train(self.training)

    def _shared_cells(self) -> Iterator[SharedCell]:
        return cast("Iterator[SharedCell]", iter(self.cells))

    @cached_property
    def _parameters_outside(self) -> int:
        return sum(_parameter_count(module) for _, module in self._modules_outside())

    def _modules_outside(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the modules outside the operations that hold tensors, by name."""
        yield "stem", self.stem
        for index, cell in enumerate(self._shared_cells()):
            yield f"cells.{index}.preprocess0", cell.preprocess0
            yield f"cells.{index}.preprocess1", cell.preprocess1
        yield "classifier", self.classifier

    def _cells_of(self, genotype: Genotype) -> Iterator[tuple[int, SharedCell, tuple[str, ...]]]:
        """Yield per cell its index, the cell, and the names of the genotype's operations in it."""
        keys = _cell_keys(self.space, genotype)
        for index, cell in enumerate(self._shared_cells()):
            yield index, cell, keys[cell.reduction]

    def _operation_tensors(self, genotype: Genotype) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for index, cell, keys in self._cells_of(genotype):
            for key in keys:
                prefix = f"cells.{index}.operations.{key}."
                cell.operations[key].state_dict(destination=found, prefix=prefix, keep_vars=True)
        return found


def cell_supernet(space: CellSpace, sizes: NetworkSizes) -> Supernet:
    """Build the supernet of a cell space."""
    return Supernet(space, **asdict(sizes))


def _parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _key(number: int, read: int, operation: str) -> str:
    """Return the name of an operation in its cell, for example ``node3_input0_sep_conv_3x3``."""
    return f"node{number}_input{read}_{operation}"


@lru_cache(maxsize=1024)
def _cell_keys(space: CellSpace, genotype: Genotype) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the operations of both cells, edge by edge."""
    space.params(genotype)  # refuses a genotype outside the space
    normal, reduction = (
        tuple(
            _key(number, edge.input, edge.operation)
            for number, node in enumerate(cell.nodes, start=2)
            for edge in node
        )
        for cell in (genotype.normal, genotype.reduce)
    )
    return normal, reduction
