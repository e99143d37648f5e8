"""What the scores of an architecture say together, where it was scored more than once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

WORTHLESS = 8e307  # losses from here on are not of a complete and feasible trial; see `Learning`


@dataclass(frozen=True)
class Pool:
    """The scores of one architecture.

    Attributes:
        count: How many of them are of complete and feasible trials.
        mean: Of those, a loss; where there are none the lowest of the others.
        squares: The sum of the squared differences to the mean; exactly 0 where all are equal.
        asked: How many there are, whatever came of it.
    """

    count: int = 0
    mean: float = math.inf
    squares: float = 0.0
    asked: int = 0

    def with_score(self, loss: float) -> Pool:
        """The same with one more score."""
        asked = self.asked + 1
        if not abs(loss) < WORTHLESS:
            mean = self.mean if self.count else min(loss, self.mean)
            return Pool(self.count, mean, self.squares, asked)
        if not self.count:
            return Pool(1, loss, 0.0, asked)
        difference = loss - self.mean
        mean = self.mean + difference / (self.count + 1)
        return Pool(self.count + 1, mean, self.squares + difference * (loss - mean), asked)

    @property
    def freedom(self) -> int:
        """How many scores there are beyond the first one, of complete and feasible trials."""
        return max(self.count - 1, 0)

    @property
    def vain(self) -> int:
        """How many came to nothing though another one did not."""
        return self.asked - self.count if self.count else 0


class Pooling:
    """The pools of all architectures, by the scores of complete generations.

    Attributes:
        vain: How many scores came to nothing where another one of the architecture did not.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._begin()

    def _begin(self) -> None:
        self._generation, self._rows = -1, 0
        self._pools: dict[bytes, Pool] = {}
        self._squares, self._freedom, self.vain = 0.0, 0, 0

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
            self._freedom += after.freedom - before.freedom
            self.vain += after.vain - before.vain
        self._generation, self._rows = generation, len(losses)

    def of(self, position: Vector) -> Pool:
        """The scores at a settled position `[variables]`."""
        return self._pools.get(position.tobytes(), Pool())

    def noise(self, position: Vector, pool: Pool) -> tuple[float, int]:
        """The standard deviation of the scores of one architecture, by all that have several.

        Args:
            position: Of an architecture of which more is known by now, `[variables]`.
            pool: What is known of it.

        Returns:
            It, and how many scores it rests on beyond the first ones; 0 and 0 where on none.
            Infinite where squares are.
        """
        before = self.of(position)
        freedom = self._freedom + pool.freedom - before.freedom
        squares = self._squares + pool.squares - before.squares
        if not math.isfinite(squares):
            return math.inf, freedom
        return (math.sqrt(max(squares, 0.0) / freedom) if freedom else 0.0), freedom
