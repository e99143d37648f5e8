"""What the scores of an architecture say together, where it was scored more than once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.history import History

    Vector = NDArray[np.float64]

WORTHLESS = 8e307  # losses from here on are not of a complete and feasible trial; see `Learning`


@dataclass(frozen=True)
class Pool:
    """The scores of one architecture.

    Attributes:
        count: How many of them are of complete and feasible trials.
        mean: Of those, a loss; where there are none the lowest of the others.
        squares: The sum of the squared differences to the mean; exactly 0 where all are equal.
    """

    count: int = 0
    mean: float = math.inf
    squares: float = 0.0

    def with_score(self, loss: float) -> Pool:
        """The same with one more score."""
        if not abs(loss) < WORTHLESS:
            return self if self.count else Pool(mean=min(loss, self.mean))
        if not self.count:
            return Pool(1, loss)
        difference = loss - self.mean
        mean = self.mean + difference / (self.count + 1)
        return Pool(self.count + 1, mean, self.squares + difference * (loss - mean))


class Pooling:
    """The pools of all architectures, by the scores of complete generations."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._begin()

    def _begin(self) -> None:
        self._generation, self._rows = -1, 0
        self._pools: dict[bytes, Pool] = {}
        self._squares, self._freedom = 0.0, 0

    def see(self, generation: int) -> None:
        """Count in all scores up to a complete generation, and no others."""
        if generation < self._generation:
            self._begin()
        positions, losses = self._history.upto(generation)
        for position, loss in zip(positions[self._rows :], losses[self._rows :], strict=True):
            before = self.of(position)
            after = before.with_score(float(loss))
            self._pools[position.tobytes()] = after
            self._squares += after.squares - before.squares
            self._freedom += max(after.count - 1, 0) - max(before.count - 1, 0)
        self._generation, self._rows = generation, len(losses)

    def of(self, position: Vector) -> Pool:
        """The scores at a settled position `[variables]`."""
        return self._pools.get(position.tobytes(), Pool())

    def is_known(self, position: Vector) -> bool:
        """Whether a settled position `[variables]` was scored."""
        return position.tobytes() in self._pools

    def noise(self, position: Vector, pool: Pool) -> tuple[float, int]:
        """The standard deviation of the scores of one architecture, by all that have several.

        Args:
            position: Of an architecture of which more is known by now, `[variables]`.
            pool: What is known of it.

        Returns:
            It, and how many scores it rests on beyond the first ones; 0 and 0 where on none.
        """
        before = self.of(position)
        freedom = self._freedom + max(pool.count - 1, 0) - max(before.count - 1, 0)
        squares = self._squares + pool.squares - before.squares
        return (math.sqrt(squares / freedom) if freedom else 0.0), freedom
