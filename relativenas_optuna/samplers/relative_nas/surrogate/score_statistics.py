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
class ScoreStatistics:
    """The scores of one architecture.

    Attributes:
        count: How many of them are of complete and feasible trials.
        mean: Of those, a loss; where there are none the lowest of the others.
        squares: The sum of the squared differences to the mean; exactly 0 where all are equal.
        asked: How many there are, whatever came of it.
    """

    count: int = 0
    mean: float = math.inf
    squared_deviations: float = 0.0
    evaluations: int = 0

    def with_score(self, loss: float) -> ScoreStatistics:
        """The same with one more score."""
        asked = self.evaluations + 1
        if not abs(loss) < WORTHLESS:
            mean = self.mean if self.count else min(loss, self.mean)
            return ScoreStatistics(self.count, mean, self.squared_deviations, asked)
        if not self.count:
            return ScoreStatistics(1, loss, 0.0, asked)
        difference = loss - self.mean
        mean = self.mean + difference / (self.count + 1)
        return ScoreStatistics(
            self.count + 1, mean, self.squared_deviations + difference * (loss - mean), asked
        )

    @property
    def degrees_of_freedom(self) -> int:
        """How many scores there are beyond the first one, of complete and feasible trials."""
        return max(self.count - 1, 0)

    @property
    def failed_reevaluations(self) -> int:
        """How many came to nothing though another one did not."""
        return self.evaluations - self.count if self.count else 0


class StatisticsTable:
    """The statistics of all architectures, by the scores of complete generations.

    Attributes:
        failed_reevaluations: Number of failed scores of architectures that also have a usable one.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._begin()

    def _begin(self) -> None:
        self._generation, self._rows = -1, 0
        self._by_position: dict[bytes, ScoreStatistics] = {}
        self._squared_deviations, self._degrees_of_freedom, self.failed_reevaluations = 0.0, 0, 0

    def read_up_to(self, generation: int) -> None:
        """Count in all scores up to a complete generation, and no others."""
        if generation < self._generation:
            self._begin()
        positions, losses = self._history.up_to(generation)
        for position, loss in zip(positions[self._rows :], losses[self._rows :], strict=True):
            before = self.of(position)
            after = before.with_score(float(loss))
            self._by_position[position.tobytes()] = after
            self._squared_deviations += after.squared_deviations - before.squared_deviations
            self._degrees_of_freedom += after.degrees_of_freedom - before.degrees_of_freedom
            self.failed_reevaluations += after.failed_reevaluations - before.failed_reevaluations
        self._generation, self._rows = generation, len(losses)

    def of(self, position: Vector) -> ScoreStatistics:
        """The scores at a settled position `[variables]`."""
        return self._by_position.get(position.tobytes(), ScoreStatistics())

    def noise(self, position: Vector, known: ScoreStatistics) -> tuple[float, int]:
        """The standard deviation of the scores of one architecture, by all that have several.

        Args:
            position: Of an architecture of which more is known by now, `[variables]`.
            known: What is known of it.

        Returns:
            It, and how many scores it rests on beyond the first ones; 0 and 0 where on none.
            Infinite where squares are.
        """
        before = self.of(position)
        freedom = self._degrees_of_freedom + known.degrees_of_freedom - before.degrees_of_freedom
        squares = self._squared_deviations + known.squared_deviations - before.squared_deviations
        if not math.isfinite(squares):
            return math.inf, freedom
        return (math.sqrt(max(squares, 0.0) / freedom) if freedom else 0.0), freedom
