"""Mean and spread of the scores of architectures that were scored more than once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

WORTHLESS = 8e307  # losses from here on are not of a complete and feasible trial, see `loss_of`


@dataclass(frozen=True)
class ScoreStatistics:
    """Statistics of the scores of one architecture.

    A score is usable if its trial is complete and feasible.

    Attributes:
        count: Number of usable scores.
        mean: Mean loss of the usable scores; without any, the lowest of all losses.
        squared_deviations: Sum of the squared differences of the usable scores from their mean;
            exactly 0 if all are equal.
        evaluations: Number of all scores.
    """

    count: int = 0
    mean: float = math.inf
    squared_deviations: float = 0.0
    evaluations: int = 0

    def with_score(self, loss: float) -> ScoreStatistics:
        """Return the statistics with one more score (the update of Welford 1962)."""
        evaluations = self.evaluations + 1
        if not abs(loss) < WORTHLESS:
            mean = self.mean if self.count else min(loss, self.mean)
            return ScoreStatistics(self.count, mean, self.squared_deviations, evaluations)
        if not self.count:
            return ScoreStatistics(1, loss, 0.0, evaluations)
        difference = loss - self.mean
        mean = self.mean + difference / (self.count + 1)
        squares = self.squared_deviations + difference * (loss - mean)
        return ScoreStatistics(self.count + 1, mean, squares, evaluations)

    @property
    def degrees_of_freedom(self) -> int:
        """Number of usable scores beyond the first one."""
        return max(self.count - 1, 0)

    @property
    def failed_reevaluations(self) -> int:
        """Number of scores that are not usable, if the architecture also has a usable one."""
        return self.evaluations - self.count if self.count else 0


class StatisticsTable:
    """The statistics of all architectures, from the scores of complete generations.

    Args:
        history: Positions and losses of the search.

    Attributes:
        failed_reevaluations: Number of failed reevaluations of all architectures.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._clear()

    def _clear(self) -> None:
        self._generation, self._rows = -1, 0
        self._by_position: dict[bytes, ScoreStatistics] = {}
        self._squares, self._freedom, self.failed_reevaluations = 0.0, 0, 0

    def read_up_to(self, generation: int) -> None:
        """Count the scores up to a complete generation, and no later ones."""
        if generation < self._generation:
            self._clear()
        positions, losses = self._history.up_to(generation)
        for position, loss in zip(positions[self._rows :], losses[self._rows :], strict=True):
            before = self.at(position)
            after = before.with_score(float(loss))
            self._by_position[position.tobytes()] = after
            self._squares += after.squared_deviations - before.squared_deviations
            self._freedom += after.degrees_of_freedom - before.degrees_of_freedom
            self.failed_reevaluations += after.failed_reevaluations - before.failed_reevaluations
        self._generation, self._rows = generation, len(losses)

    def at(self, position: Vector) -> ScoreStatistics:
        """Return the statistics at a canonical position `[variables]`."""
        return self._by_position.get(position.tobytes(), ScoreStatistics())

    def noise(self, position: Vector, statistics: ScoreStatistics) -> tuple[float, int]:
        """Return the pooled standard deviation of the scores of one architecture.

        Args:
            position: Position of an architecture with newer statistics than the table's,
                `[variables]`.
            statistics: The newer statistics.

        Returns:
            The standard deviation of a loss, infinite if its square is, and the degrees of freedom
            of this estimate; 0 and 0 if no architecture has two usable scores.
        """
        known = self.at(position)
        freedom = self._freedom + statistics.degrees_of_freedom - known.degrees_of_freedom
        squares = self._squares + statistics.squared_deviations - known.squared_deviations
        if not math.isfinite(squares):
            return math.inf, freedom
        return (math.sqrt(max(squares, 0.0) / freedom) if freedom else 0.0), freedom
