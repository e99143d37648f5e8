"""Preset "plain": re-evaluate the best member while its lead may be noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.surrogate.score_statistics import (
    ScoreStatistics,
    StatisticsTable,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

_FIRST_GENERATION = 7  # that may decide it: before, a trial is worth more at a new architecture
_CONFIDENCE = 0.975  # one-sided, of Student's t


class Reevaluation:
    """The rule by which the best member is scored again instead of keeping its score.

    The paper scores every fast learner again in each generation. So that the rule does not depend
    on timing, it uses only the scores of a pair and those of the generations before.

    Args:
        max_scores: Maximum number of scores of one architecture; 1 re-evaluates nothing.
        history: Positions and losses of the search.
    """

    def __init__(self, max_scores: int, history: History) -> None:
        self._max_scores = max_scores
        self._table = StatisticsTable(history)
        self._ranking: tuple[int, list[tuple[ScoreStatistics, int, Vector]]] | None = None

    def statistics(
        self, generation: PairedGeneration, pair: int, losses: Vector
    ) -> tuple[ScoreStatistics, ScoreStatistics]:
        """Return the statistics of both members of a pair, with their new losses `[2]`."""
        self._table.read_up_to(generation.index - 1)
        first, second = (
            known if generation.kept[member] else known.with_score(float(loss))
            for member, loss in zip(generation.pairs[pair], losses, strict=True)
            for known in [self._table.at(generation.positions[member])]
        )
        return first, second

    def is_needed(
        self,
        generation: PairedGeneration,
        before: PairedGeneration,
        fast: int,
        statistics: ScoreStatistics,
    ) -> bool:
        """Return True if a pair's fast learner is re-evaluated in the next generation.

        It must have the lowest mean of all members of the generation before that can be
        re-evaluated; of equal means the lowest member counts. And by Student's t, the true mean of
        some other member must possibly be lower. While no architecture has two scores, only one
        pair in every second generation may re-evaluate: the noise is then known from its result
        before the next one.

        Args:
            generation: Generation of the pair.
            before: The generation before it, which is complete.
            fast: Index of the fast learner among the members.
            statistics: Its statistics, from the method `statistics`.
        """
        position = generation.positions[fast]
        noise, freedom = self._table.noise(position, statistics)
        can = self._can_reevaluate(statistics)
        if generation.index < _FIRST_GENERATION or not can or (freedom and noise == 0):
            return False
        if self._table.failed_reevaluations > freedom + 1:  # the objective refuses to repeat
            return False
        pair = generation.pairs[generation.seat(fast) // 2].tolist()
        if not freedom and not self._may_be_first(generation, before, pair):
            return False
        others = [
            (other, member)
            for other, member, where in self._ranked(generation, before)
            if member not in pair and not np.array_equal(where, position)
        ]
        rivals = ((other.mean, member) for other, member in others if self._can_reevaluate(other))
        if next(rivals, (math.inf, fast)) < (statistics.mean, fast):
            return False
        margin = noise * _student_t(freedom) if freedom else math.inf
        return any(
            other.mean - statistics.mean
            < margin * math.sqrt(1 / statistics.count + 1 / other.count)
            for other, _ in others
            if other.count
        )

    def _may_be_first(
        self, generation: PairedGeneration, before: PairedGeneration, pair: list[int]
    ) -> bool:
        """Return True if a pair may have the first re-evaluation of the search.

        Its result counts two generations later. The best member of the generation before must be
        in the pair, which holds for at most one pair.
        """
        ranked = self._ranked(generation, before)
        best = next((member for known, member, _ in ranked if self._can_reevaluate(known)), None)
        return (generation.index - _FIRST_GENERATION) % 2 == 0 and best in pair

    def _can_reevaluate(self, statistics: ScoreStatistics) -> bool:
        return 0 < statistics.count < self._max_scores and not statistics.failed_reevaluations

    def _ranked(
        self, generation: PairedGeneration, before: PairedGeneration
    ) -> list[tuple[ScoreStatistics, int, Vector]]:
        """Return statistics, index and position of the members of `before`, lowest mean first."""
        if self._ranking is None or self._ranking[0] != generation.index:
            ranked = [(self._table.at(x), member, x) for member, x in enumerate(before.positions)]
            ranked.sort(key=lambda entry: (entry[0].mean, entry[1]))
            self._ranking = generation.index, ranked
        return self._ranking[1]


def _student_t(freedom: int) -> float:
    """Return the quantile of Student's t at the confidence."""
    from scipy.special import stdtrit  # its import is slow, and few studies are noisy

    return float(stdtrit(freedom, _CONFIDENCE))
