"""Numbers that describe a pair of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.spaces.genotype import CELL_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.spaces.genotype import Cell, Genotype


def cell_descriptors(genotype: Genotype, operations: Sequence[str]) -> dict[str, float]:
    """Return numbers that describe the two cells of an architecture.

    The order of a node's edges does not matter.

    Args:
        genotype: The architecture.
        operations: Names of the operations to count.

    Returns:
        For each cell, under names such as "normal.convolutions": the number of edges of each
        operation; "convolutions" (convolution layers in all; a separable convolution has two);
        "longest path" (of convolution layers from an input of the cell to a node) and "mean path"
        (the mean over the nodes); "depth" (edges of the longest path); "inputs" (different inputs
        and nodes that are read); and "direct" (edges that read an input of the cell).
    """
    cells = zip(CELL_NAMES, (genotype.normal, genotype.reduce), strict=True)
    return {
        f"{kind}.{name}": float(number)
        for kind, cell in cells
        for name, number in _of_cell(cell, operations).items()
    }


def _of_cell(cell: Cell, operations: Sequence[str]) -> dict[str, float]:
    used = [edge.operation for edge in cell.edges]
    layers, depths = [0, 0], [0, 0]  # by input: the two of the cell, then the nodes
    for node in cell.nodes:
        layers.append(max(layers[edge.input] + _layers(edge.operation) for edge in node))
        depths.append(max(depths[edge.input] + 1 for edge in node))
    return {
        **{operation: used.count(operation) for operation in operations},
        "convolutions": sum(map(_layers, used)),
        "longest path": max(layers),
        "mean path": sum(layers) / len(cell.nodes),
        "depth": max(depths),
        "inputs": len({edge.input for edge in cell.edges}),
        "direct": sum(edge.input < 2 for edge in cell.edges),
    }


def _layers(operation: str) -> int:
    """Return the number of convolution layers of an operation."""
    return ("conv" in operation) * (1 + operation.startswith("sep_"))
