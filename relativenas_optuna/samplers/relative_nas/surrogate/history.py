"""Positions and losses of a search's scored seats, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class History:
    """Positions and losses in the order of generations and seats, added in any order."""

    def __init__(self) -> None:
        self._by_generation: dict[int, dict[int, tuple[Vector, float]]] = {}
        self._positions = np.empty((0, 0))
        self._losses = np.empty(0)
        self._ends: list[int] = []  # of each generation that is in the arrays

    def add(self, generation: int, seat: int, position: Vector, loss: float) -> None:
        """Add the position `[variables]` and the loss of a scored seat."""
        self._by_generation.setdefault(generation, {})[seat] = position.copy(), loss

    def up_to(self, generation: int) -> tuple[Vector, Vector]:
        """Return positions `[scored, variables]` and losses `[scored]` up to a generation.

        The generation and all earlier ones must be complete: nothing can be added to them later.
        """
        while len(self._ends) <= generation:
            self._append(self._by_generation.pop(len(self._ends), {}))
        end = self._ends[generation] if generation >= 0 else 0
        return self._positions[:end], self._losses[:end]

    def _append(self, scored: dict[int, tuple[Vector, float]]) -> None:
        begin = self._ends[-1] if self._ends else 0
        end = begin + len(scored)
        if end > len(self._losses) and scored:
            variables = len(next(iter(scored.values()))[0])
            room = max(2 * end, 64)
            positions, losses = np.empty((room, variables)), np.empty(room)
            positions[:begin] = self._positions[:begin].reshape(begin, variables)
            losses[:begin] = self._losses[:begin]
            self._positions, self._losses = positions, losses
        for row, seat in enumerate(sorted(scored), start=begin):
            self._positions[row], self._losses[row] = scored[seat]
        self._ends.append(end)
