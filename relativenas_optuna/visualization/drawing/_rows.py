"""Place the inputs and nodes of a cell in rows, in inches with `y` downwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from relativenas_optuna.spaces.genotype import Cell

INPUT_HEIGHT = 0.3
NODE_HEIGHT = 0.27
OPERATION_HEIGHT = 0.235
_OPERATION_GAP = 0.055
_OPERATION_STEP = OPERATION_HEIGHT + _OPERATION_GAP
_ROW_GAP = 0.13
_LANE = 0.055
# Length of vertical wire that counts as much as one crossing.
_CROSSING = 1.2

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The vertical part of an edge, in the gutter before the column of its target.

    Attributes:
        place: Index of the edge among those of the cell.
        operation: Operation of the edge.
        source: Number of the input or node where the edge starts.
        target: Number of the node where the edge ends.
        start: Height at which the vertical part starts, in inches.
        end: Height at which the vertical part ends, in inches.
    """

    place: int  # of the edge, among those of the cell
    operation: str
    source: int
    target: int
    start: float
    end: float

    def spans(self, y: float) -> bool:
        """Return True if a horizontal line at height `y` crosses this wire."""
        return min(self.start, self.end) < y < max(self.start, self.end)

    def crossings(self, right: Turn) -> int:
        """Return how often this wire and `right` cross if `right` turns further to the right."""
        return self.spans(right.start) + right.spans(self.end)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The heights of inputs, nodes and wires; inputs and nodes are numbered together, as in edges.

    Attributes:
        columns: Column of every input and node: the length of the longest path from an input.
        centres: Middle of the row of every input and node.
        sizes: Height of the box of every input and node.
        turns: The edges of the cell, source by source.
        exits: Lane in which a node's wire to the output leaves, by node.
        total: Height of all rows together.
    """

    columns: tuple[int, ...]
    centres: tuple[float, ...]
    sizes: tuple[float, ...]
    turns: tuple[Turn, ...]
    exits: dict[int, float]
    total: float

    def gutter(self, column: int) -> list[Turn]:
        """Return the edges that turn before a column."""
        return [turn for turn in self.turns if self.columns[turn.target] == column]

    def cost(self) -> float:
        """Return the length of all vertical wire, plus a cost for every crossing."""
        crossed = 0
        for column in range(1, max(self.columns) + 1):
            gutter = self.gutter(column)
            passing = [
                turn.start
                for turn in self.turns
                if self.columns[turn.source] < column < self.columns[turn.target]
            ]
            passing += [lane for node, lane in self.exits.items() if self.columns[node] < column]
            crossed += sum(turn.spans(lane) for turn in gutter for lane in passing)
            crossed += sum(
                min(first.crossings(second), second.crossings(first))
                for first, second in combinations(gutter, 2)
            )
        return _CROSSING * crossed + sum(abs(turn.end - turn.start) for turn in self.turns)


def crossings(tracks: Sequence[Turn]) -> int:
    """Return how often the wires of a gutter cross if they turn in this order from the left."""
    return sum(left.crossings(right) for left, right in combinations(tracks, 2))


def best_rows(cell: Cell) -> Rows:
    """Return rows with short wires and few crossings; the same cell gives the same rows."""
    columns = [0, 0]
    for node in cell.nodes:
        columns.append(1 + max(columns[edge.input] for edge in node))
    nodes = tuple(range(2, len(columns)))
    middle = len(nodes) // 2

    def cost(order: Sequence[int]) -> float:
        return _rows(cell, columns, order).cost()

    starts = [(0, 1, *nodes), (*nodes[:middle], 0, 1, *nodes[middle:]), (0, *nodes, 1)]
    order = min((improve_order(start, cost) for start in starts), key=cost)
    # The mirrored drawing has the same cost, and readers expect the older input at the top.
    return _rows(cell, columns, order if order.index(0) < order.index(1) else order[::-1])


def _rows(cell: Cell, columns: Sequence[int], order: Sequence[int]) -> Rows:
    """Return the heights for an order of the rows from the top."""
    leaving = [sum(edge.input == vertex for edge in cell.edges) for vertex in range(len(columns))]
    sizes, centres, total = [0.0] * len(columns), [0.0] * len(columns), 0.0
    for vertex in order:
        lanes = leaving[vertex] + (vertex in cell.concat)
        sizes[vertex] = max(INPUT_HEIGHT if vertex < 2 else NODE_HEIGHT, (lanes + 1) * _LANE)
        operations = len(cell.nodes[vertex - 2]) if vertex >= 2 else 0
        row = max(sizes[vertex], operations * _OPERATION_STEP - _OPERATION_GAP)
        centres[vertex] = total + row / 2
        total += row + _ROW_GAP

    edges, places = [], iter(range(len(cell.edges)))
    for target, node in enumerate(cell.nodes, start=2):
        # A wire from above ends at an upper operation, so that the wires of a node do not cross.
        placed = [(edge, next(places)) for edge in node]
        from_above = sorted(placed, key=lambda edge: order.index(edge[0].input))
        ends = _spread(centres[target], len(node), _OPERATION_STEP)
        edges += [
            (edge, target, end, place) for (edge, place), end in zip(from_above, ends, strict=True)
        ]

    turns: list[Turn] = []
    exits: dict[int, float] = {}
    for vertex in range(len(columns)):
        # Wires to the nearest column turn first, so they are outermost. The wire to the output does
        # not turn; it is between the wires that go up and those that go down.
        away = [edge for edge in edges if edge[0].input == vertex]
        up = [edge for edge in away if centres[edge[1]] < centres[vertex]]
        down = [edge for edge in away if centres[edge[1]] > centres[vertex]]
        up.sort(key=lambda edge: (columns[edge[1]], edge[2]))
        down.sort(key=lambda edge: (-columns[edge[1]], edge[2]))
        starts = _spread(centres[vertex], len(away) + (vertex in cell.concat), _LANE)
        if vertex in cell.concat:
            exits[vertex] = starts.pop(len(up))
        turns += [
            Turn(
                place=place,
                operation=edge.operation,
                source=vertex,
                target=target,
                start=start,
                end=end,
            )
            for (edge, target, end, place), start in zip([*up, *down], starts, strict=True)
        ]
    return Rows(
        columns=tuple(columns),
        centres=tuple(centres),
        sizes=tuple(sizes),
        turns=tuple(turns),
        exits=exits,
        total=total - _ROW_GAP,
    )


def _spread(centre: float, count: int, step: float) -> list[float]:
    """Return evenly spaced heights around a centre."""
    return [centre + (place - (count - 1) / 2) * step for place in range(count)]


def improve_order(order: Sequence[_Item], cost: Callable[[Sequence[_Item]], float]) -> list[_Item]:
    """Move single items to other places as long as that lowers the cost of the order."""
    best, best_cost = list(order), cost(order)
    again = True
    while again:
        again = False
        for source in range(len(best)):
            for target in range(len(best)):
                moved = [*best[:source], *best[source + 1 :]]
                moved.insert(target, best[source])
                # The margin stops rounding from making two equal orders replace each other forever.
                if (moved_cost := cost(moved)) < best_cost - 1e-9:
                    best, best_cost, again = moved, moved_cost, True
    return best
