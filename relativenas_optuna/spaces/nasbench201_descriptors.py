"""Numbers that describe what a cell of NAS-Bench-201 computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Edges: TypeAlias = Sequence[tuple[int, int, str]]
"""(node, input, operation) of each edge."""

_OUTPUT = 3  # number of the cell's last node
_NONE, _SKIP, _POOL = "none", "skip_connect", "avg_pool_3x3"
_COUNTED = ("nor_conv_1x1", "nor_conv_3x3", _POOL, _SKIP)


def nasbench201_descriptors(all_edges: Edges) -> dict[str, float]:
    """Return numbers that describe the function that a cell computes.

    Only live edges count: those on a path from the input to the output. A skip connection does not
    count if it is the only input of its node or the only use of its source, because it only renames
    its input. So cells that compute the same have the same numbers.

    Args:
        all_edges: The six edges of the cell.

    Returns:
        The number of live edges of each operation but "none", and of "convolutions"; the number of
        convolutions on the path with the most and with the fewest of them ("longest path",
        "shortest path"), and the mean over all paths ("mean path"); the number of "paths"; and 1
        for "skip path" (a path of skip connections only) and "broken" (no path at all), else 0.
    """
    edges = without_renaming(live_edges(all_edges))
    names = [operation for _, _, operation in edges]
    paths = _paths(edges)
    lengths = [sum(map(_is_convolution, path)) for path in paths]
    number = len(paths)
    return {
        **{operation: float(names.count(operation)) for operation in _COUNTED},
        "convolutions": float(sum(map(_is_convolution, names))),
        "longest path": float(max(lengths, default=0)),
        "shortest path": float(min(lengths, default=0)),
        "mean path": sum(lengths) / number if number else 0.0,
        "paths": float(number),
        "skip path": float(any(set(path) <= {_SKIP} for path in paths)),
        "broken": float(not number),
    }


def _is_convolution(operation: str) -> bool:
    return operation.startswith("nor_conv")


def live_edges(edges: Edges) -> Edges:
    """Return the edges on a path from the input to the output."""
    used = [edge for edge in edges if edge[2] != _NONE]
    reached, useful = {0}, {_OUTPUT}
    for node, read, _ in sorted(used):
        if read in reached:
            reached.add(node)
    for node, read, _ in sorted(used, reverse=True):
        if node in useful:
            useful.add(read)
    return [edge for edge in used if edge[1] in reached and edge[0] in useful]


def without_renaming(edges: Edges) -> Edges:
    """Return the edges without the skip connections that only rename their input."""
    for index, (node, read, operation) in enumerate(edges):
        if operation != _SKIP or (node, read) == (_OUTPUT, 0):
            continue
        if sum(n == node for n, _, _ in edges) == 1 or sum(r == read for _, r, _ in edges) == 1:
            one, other = (read, node) if node == _OUTPUT else (node, read)
            rest = [*edges[:index], *edges[index + 1 :]]
            return without_renaming(
                [(other if n == one else n, other if r == one else r, o) for n, r, o in rest]
            )
    return edges


def _paths(edges: Edges, node: int = _OUTPUT) -> list[list[str]]:
    """Return the operations of each path from the input to a node."""
    if node == 0:
        return [[]]
    return [
        [*path, operation]
        for end, read, operation in edges
        if end == node
        for path in _paths(edges, read)
    ]
