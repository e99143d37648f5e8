"""Whether a fast learner was lucky: when preset "plain" has it scored again, and what that says."""

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

    from relativenas_optuna.samplers.relative_nas.generation import Generation
    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

_FIRST = 7  # generation that decides first: before it, to look elsewhere is worth more
_SURE = 0.975  # probability of Student's t, up to which a difference may be luck


class Reevaluation:
    """Has the best member scored again while it may owe its place to luck.

    A departure from the paper, which has all fast learners scored again. It looks at the scores of
    a pair, and at those of the generations before it, so that it does not depend on timing.

    Args:
        most: Scores of one architecture; with 1 nothing is scored again.
        history: What was scored.
    """

    def __init__(self, most: int, history: History) -> None:
        self._most = most
        self._table = StatisticsTable(history)
        self._standing: tuple[int, list[tuple[ScoreStatistics, int, Vector]]] | None = None

    def statistics(
        self, generation: Generation, pair: int, losses: Vector
    ) -> tuple[ScoreStatistics, ScoreStatistics]:
        """What is known of both members of a pair, whose scores are `losses` `[2]`."""
        self._table.read_up_to(generation.index - 1)
        first, second = (
            known if generation.kept[member] else known.with_score(float(loss))
            for member, loss in zip(generation.pairs[pair], losses, strict=True)
            for known in [self._table.of(generation.positions[member])]
        )
        return first, second

    def is_needed(
        self, generation: Generation, before: Generation, fast: int, known: ScoreStatistics
    ) -> bool:
        """Whether a pair's fast learner is to be scored again in the generation after this one.

        That is so where it is better than all others of the generation before that can be scored
        again, of several alike the first member, and one of these may truly be better. While no
        architecture has two scores, that is asked of one pair in every second generation: so the
        first second score is known before there is another one.

        Args:
            generation: Of the pair.
            before: The one before, which is complete.
            fast: The member.
            known: What is known of it, from `statistics`, which looks at the scores.
        """
        position = generation.positions[fast]
        noise, freedom = self._table.noise(position, known)
        if generation.index < _FIRST or not self._can(known) or (freedom and noise == 0):
            return False
        if (
            self._table.failed_reevaluations > freedom + 1
        ):  # an objective that will not score one twice
            return False
        pair = generation.pairs[generation.seat(fast) // 2].tolist()
        if not freedom and not self._may_probe(generation, before, pair):
            return False
        others = [
            (other, member)
            for other, member, where in self._standings(generation, before)
            if member not in pair and not np.array_equal(where, position)
        ]
        can = next(((other.mean, member) for other, member in others if self._can(other)), None)
        if can is not None and can < (known.mean, fast):
            return False
        luck = noise * _student(freedom) if freedom else math.inf
        return any(
            other.mean - known.mean < luck * math.sqrt(1 / known.count + 1 / other.count)
            for other, _ in others
            if other.count
        )

    def _may_probe(self, generation: Generation, before: Generation, pair: list[int]) -> bool:
        """Return True if a pair may have the first second score of the search.

        Its outcome is seen two generations later. One of the pair's members has to be the best of
        the generation before, as no more than one pair's is.
        """
        standings = self._standings(generation, before)
        best = next((member for known, member, _ in standings if self._can(known)), None)
        return (generation.index - _FIRST) % 2 == 0 and best in pair

    def _can(self, known: ScoreStatistics) -> bool:
        """Whether an architecture can be scored again: as long as that came to something."""
        return 0 < known.count < self._most and not known.failed_reevaluations

    def _standings(
        self, generation: Generation, before: Generation
    ) -> list[tuple[ScoreStatistics, int, Vector]]:
        """What is known of the members of the generation before, the best one first."""
        if self._standing is None or self._standing[0] != generation.index:
            every = [(self._table.of(x), member, x) for member, x in enumerate(before.positions)]
            every.sort(key=lambda one: (one[0].mean, one[1]))
            self._standing = generation.index, every
        return self._standing[1]


def _student(freedom: int) -> float:
    """The quantile of Student's t."""
    from scipy.special import stdtrit  # it takes long to import, and few studies are noisy

    return float(stdtrit(freedom, _SURE))
