"""The cells of NAS-Bench-201 that compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from relativenas_optuna.spaces.nasbench201_descriptors import Edges, live_edges, without_renaming

Operations: TypeAlias = tuple[str, ...]
"""Names of the operations on the edges of a cell, edge by edge."""

_SWAPPED = {0: 0, 1: 2, 2: 1, 3: 3}


@lru_cache(maxsize=8)
def nasbench201_representatives(
    operations: Operations, edges: tuple[tuple[int, int], ...]
) -> Mapping[Operations, Operations | None]:
    """Return the representative of each cell that can be built of some operations.

    Two cells compute the same if they are the same graph after three steps: edges that are on no
    path from the input to the output are left out; a skip connection that only renames a node is
    left out, and its two nodes become one; the numbers of the inner nodes do not count. The
    representative is the cell with the fewest operations other than "none", and in a tie the first
    one in the order of `operations`. With all five operations there are 5,424 of them.

    Args:
        operations: Operations that an edge chooses from.
        edges: (node, input) of each edge.

    Returns:
        The representative of each cell; None for a cell without a path to its output.
    """
    cells = sorted(product(operations, repeat=len(edges)), key=_used)  # stable: else as drawn
    first: dict[Edges, Operations] = {}
    found: dict[Operations, Operations | None] = {}
    for cell in cells:
        graph = _graph([(*edge, name) for edge, name in zip(edges, cell, strict=True)])
        found[cell] = first.setdefault(graph, cell) if graph else None
    return found


def _used(cell: Operations) -> int:
    return sum(name != "none" for name in cell)


def _graph(all_edges: Edges) -> Edges:
    """Return the sorted edges that count; of the two numberings of the inner nodes the first."""
    edges = without_renaming(live_edges(all_edges))
    swapped = [(_SWAPPED[node], _SWAPPED[read], name) for node, read, name in edges]
    return min(tuple(sorted(edges)), tuple(sorted(swapped)))
