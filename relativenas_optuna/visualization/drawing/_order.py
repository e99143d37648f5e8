"""A small search for good orders: of the rows of a drawing, and of the wires in a gutter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def improved(order: Sequence[Item], cost: Callable[[Sequence[Item]], float]) -> list[Item]:
    """Move single items elsewhere for as long as that makes the order cheaper."""
    best, best_cost = list(order), cost(order)
    again = True
    while again:
        again = False
        for source in range(len(best)):
            for target in range(len(best)):
                moved = [*best[:source], *best[source + 1 :]]
                moved.insert(target, best[source])
                # The margin keeps rounding from turning two equal orders into a circle.
                if (moved_cost := cost(moved)) < best_cost - 1e-9:
                    best, best_cost, again = moved, moved_cost, True
    return best
