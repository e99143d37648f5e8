"""Learning in scored pairs: choose the fast learner and move the slow one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.dominance import compare, compare_crowding, loss_of
from relativenas_optuna.samplers.relative_nas.draws import redraw_generator
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.candidate_moves import CandidateMoves
from relativenas_optuna.samplers.relative_nas.surrogate.history import History
from relativenas_optuna.samplers.relative_nas.surrogate.reevaluation import Reevaluation
from relativenas_optuna.samplers.relative_nas.visited import VisitedArchitectures, propose_unvisited
from relativenas_optuna.samplers.seats.keyed_random import uniform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from optuna.study import StudyDirection

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.limits.within import WithinLimits
    from relativenas_optuna.samplers.relative_nas.draws import Draws
    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Vector = NDArray[np.float64]


class Learning:
    """The slow-fast rule, extended by several objectives, unvisited proposals and screening.

    It remembers the scored seats of earlier pairs. Its results depend on their scores alone, not
    on the order in which trials finish.

    Args:
        settings: Settings of the search.
        directions: Directions of the study's objectives.
        draws: Random numbers of the search.
        limited: The positions that keep the limits of the search; None without limits.
    """

    def __init__(
        self,
        settings: Settings,
        directions: Sequence[StudyDirection],
        draws: Draws,
        limited: WithinLimits | None,
    ) -> None:
        self._limited = limited
        self._settings = settings
        self._directions = directions
        self._draws = draws
        self._forget()

    def _forget(self) -> None:
        self._remembered: list[tuple[SeatScore, Seat, Seat, Vector]] = []
        self._visited: VisitedArchitectures | None = None
        self._history = History()
        self._moves = CandidateMoves(self._settings, self._history)
        self._reevaluation = Reevaluation(self._settings.screening.max_scores, self._history)
        self._known: set[int] = set()  # numbers of the remembered trials

    def remember(
        self, seat_score: SeatScore, seat: Seat, origin: Seat, encoding: Encoding, position: Vector
    ) -> None:
        """Remember a scored seat; a second call with the same trial changes nothing.

        Args:
            seat_score: Score of the seat.
            seat: The seat.
            origin: Seat by which its independent values are drawn.
            encoding: Encoding of the position.
            position: Position that was scored, `[variables]`.
        """
        trial = seat_score.scored_trial
        if trial is None or trial.number in self._known:
            return
        self._known.add(trial.number)
        self._remembered.append((seat_score, seat, origin, position))
        if self._settings.screening.on:
            loss = loss_of(seat_score.counted, self._directions)
            self._history.add(seat.generation, seat.number, position, loss)
        if self._avoids_repeats(encoding):
            if self._visited is None:
                self._visited = VisitedArchitectures(encoding)
            self._visited.add(trial, seat.generation, position)

    def extend(
        self, encoding: Encoding, extended: Callable[[Vector, Seat, Mapping[str, Any]], Vector]
    ) -> None:
        """Convert all remembered positions to another encoding.

        Args:
            encoding: The new encoding.
            extended: Function that returns a position in the new encoding for a position, its
                origin and its trial's parameters.
        """
        remembered = self._remembered
        self._forget()
        for seat_score, seat, origin, position in remembered:
            trial = seat_score.scored_trial
            assert trial is not None
            new = extended(position, origin, trial.params)
            self.remember(seat_score, seat, origin, encoding, new)

    def needs_history(self, generation: PairedGeneration, seat_scores: Sequence[SeatScore]) -> bool:
        """Return True if a scored pair must wait until the generation before is complete."""
        assert generation.encoding is not None
        if self._settings.screening.on or self._avoids_repeats(generation.encoding):
            return True
        several = len(self._directions) > 1
        return several and compare(seat_scores[0], seat_scores[1], self._directions) == 0

    def first_is_fast(
        self, generation: PairedGeneration, pair: int, before: PairedGeneration | None
    ) -> bool:
        """Return True if the first member of a pair is the fast learner; True in a tie.

        Members that were scored more than once are compared by the mean of their scores. If neither
        of two dominates the other, the one that is less crowded by the generation `before` is fast.
        """
        first, second = generation.pair_scores(pair)
        if self._settings.screening.reevaluates:
            losses = self._losses(generation, pair)
            statistics = self._reevaluation.statistics(generation, pair, losses)
            # A reevaluation may have failed, and then adds no score.
            reevaluated = generation.reevaluated[generation.pairs[pair]].any()
            if reevaluated or max(known.count for known in statistics) > 1:
                return statistics[0].mean <= statistics[1].mean
        order = compare(first, second, self._directions)
        if order == 0 and before is not None and len(self._directions) > 1:
            order = compare_crowding(first, second, before.seat_scores, self._directions)
        return order <= 0

    def needs_reevaluation(
        self, generation: PairedGeneration, before: PairedGeneration, fast: int
    ) -> bool:
        """Return True if a pair's fast learner is re-evaluated in the next generation.

        Args:
            generation: Generation of the pair.
            before: The generation before it, which is complete.
            fast: Index of the fast learner among the members.
        """
        if not self._settings.screening.reevaluates:
            return False
        if self._limited is not None and not self._limited.keep(generation.positions[fast]):
            return False  # a user enqueued it
        seat = generation.seat(fast)
        losses = self._losses(generation, seat // 2)
        statistics = self._reevaluation.statistics(generation, seat // 2, losses)[seat % 2]
        return self._reevaluation.is_needed(generation, before, fast, statistics)

    def _losses(self, generation: PairedGeneration, pair: int) -> Vector:
        """Return the losses of a pair, `[2]`."""
        scores = generation.pair_scores(pair)
        return np.array([loss_of(score.counted, self._directions) for score in scores])

    def step(self, generation: PairedGeneration, pair: int) -> tuple[Vector, Vector]:
        """Return the next position and velocity `[variables]` of a pair's slow learner.

        With screening, the position is canonical (`Encoding.canonical`) and the velocity is the
        difference to it, so that both can be computed from parameters alone.
        """
        encoding, (fast, slow) = generation.encoding, generation.learners(pair)
        assert encoding is not None
        screened = self._settings.screening.on
        rule = partial(
            learn,
            generation.positions[slow],
            generation.velocities[slow],
            generation.positions[fast],
            low=encoding.low,
            high=encoding.high,
            reflected=encoding.continuous if screened else None,
        )
        matrices = self._draws.matrices(list(encoding.space), generation.index)
        l1, l2 = (matrix[pair] for matrix in matrices)
        position, velocity = rule(l1=l1, l2=l2)
        visited, last = self._visited, generation.index - 1
        if visited is not None and visited.all_visited(last):
            visited = None
        chosen = None
        if screened:
            losses = self._losses(generation, pair)
            is_visited = _visited_by(generation, pair, visited)
            chosen = self._moves.choose(
                generation, pair, losses, (l1, l2), lambda p: is_visited(p) or not self._keep(p)
            )
        if chosen is not None:
            position = chosen
        elif visited is not None and visited.is_visited(position, last):
            position = propose_unvisited(
                encoding,
                position,
                redraw=lambda l1, l2: rule(l1=l1, l2=l2)[0],
                visited=visited,
                generation=last,
                random=redraw_generator(self._settings.seed, generation.index, pair),
            )
        if self._limited is not None:
            position = self._limited.nearest(position, generation.positions[slow])
        if screened:
            position = encoding.canonical(position)
            velocity = position - generation.positions[slow]
        return position, velocity

    def random_position(self, generation: PairedGeneration, member: int) -> Vector:
        """Return a position `[variables]` for a member, drawn evenly from the whole space."""
        encoding, seat = generation.encoding, generation.seat(member)
        assert encoding is not None
        drawn = [
            uniform(self._settings.seed, generation.index, seat, name) for name in encoding.space
        ]
        position = encoding.low + np.array(drawn) * (encoding.high - encoding.low)
        if self._limited is not None:
            return self._limited.drawn(position, generation.index, member)
        return position

    def _keep(self, position: Vector) -> bool:
        """Return True if a position keeps the limits of the search."""
        return self._limited is None or self._limited.keep(position)

    def _avoids_repeats(self, encoding: Encoding) -> bool:
        finite = encoding.counts is not None
        return self._settings.avoids_repeats and (finite or self._settings.screening.on)


def _visited_by(
    generation: PairedGeneration, pair: int, visited: VisitedArchitectures | None
) -> Callable[[Vector], bool]:
    """Return a function that is True for positions scored by a pair or before its generation.

    If `visited` is None, because nothing unvisited is left, the function is always False.
    """
    if visited is None:
        return lambda position: False
    last, known = generation.index - 1, visited
    own = [
        (score.scored_trial, generation.positions[member])
        for member, score in zip(
            generation.pairs[pair].tolist(), generation.pair_scores(pair), strict=True
        )
        if score.scored_trial is not None
    ]
    return lambda position: (
        known.is_visited(position, last) or any(known.is_same(position, *one) for one in own)
    )
