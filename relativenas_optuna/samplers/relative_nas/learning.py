"""How a scored pair goes on: who of it is fast, and where the slow learner moves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.relative_nas.dominance import (
    compare,
    less_crowded,
    loss_of,
    losses,
    violation,
)
from relativenas_optuna.samplers.relative_nas.draws import redraw_generator, uniform
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.candidate_moves import CandidateMoves
from relativenas_optuna.samplers.relative_nas.surrogate.history import History
from relativenas_optuna.samplers.relative_nas.surrogate.reevaluation import Reevaluation
from relativenas_optuna.samplers.relative_nas.visited import VisitedArchitectures, propose_unvisited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from optuna.study import StudyDirection

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.draws import Draws
    from relativenas_optuna.samplers.relative_nas.generation import Generation
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Vector = NDArray[np.float64]


class Learning:
    """The slow-fast rule with what a study adds to it: several objectives, no repeats.

    What it remembers of the pairs that went on before is a matter of their scores alone.
    """

    def __init__(
        self, settings: Settings, directions: Sequence[StudyDirection], draws: Draws
    ) -> None:
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
        self._known: set[int] = set()  # numbers of the trials that are remembered

    def remember(
        self, seat_score: SeatScore, seat: Seat, origin: Seat, encoding: Encoding, position: Vector
    ) -> None:
        """Remember what a seat scored at a `position` `[variables]`.

        `origin` is the seat by which its independent values are drawn.
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
        """Bring all that is remembered to another encoding.

        `extended` returns a position over it for a position, its origin and its trial's parameters.
        """
        remembered = self._remembered
        self._forget()
        for seat_score, seat, origin, position in remembered:
            trial = seat_score.scored_trial
            assert trial is not None
            self.remember(
                seat_score, seat, origin, encoding, extended(position, origin, trial.params)
            )

    def needs_history(self, generation: Generation, seat_scores: Sequence[SeatScore]) -> bool:
        """Whether a scored pair waits for the generation before its own to be complete."""
        assert generation.encoding is not None
        if self._settings.screening.on or self._avoids_repeats(generation.encoding):
            return True
        return (
            len(self._directions) > 1
            and compare(seat_scores[0], seat_scores[1], self._directions) == 0
        )

    def first_is_fast(self, generation: Generation, pair: int, before: Generation | None) -> bool:
        """Whether the first of a pair is the fast learner, which it is in a tie.

        Of two that do not dominate each other that one is fast which is less crowded by the
        generation `before`. What was scored more than once has the mean of its scores.
        """
        seat_scores = generation.seat_scores[2 * pair : 2 * pair + 2]
        if self._settings.screening.reevaluates:
            statistics = self._reevaluation.statistics(
                generation, pair, self._losses(generation, pair)
            )
            again = generation.reevaluated[generation.pairs[pair]].any()  # which may have failed
            if again or max(known.count for known in statistics) > 1:
                return statistics[0].mean <= statistics[1].mean
        order = compare(seat_scores[0], seat_scores[1], self._directions)
        if order == 0 and before is not None and len(self._directions) > 1:
            order = self._less_crowded(seat_scores, before)
        return order <= 0

    def needs_reevaluation(self, generation: Generation, before: Generation, fast: int) -> bool:
        """Whether the fast learner of a pair, a member, is scored again in the next generation."""
        if not self._settings.screening.reevaluates:
            return False
        seat = generation.seat(fast)
        losses = self._losses(generation, seat // 2)
        known = self._reevaluation.statistics(generation, seat // 2, losses)[seat % 2]
        return self._reevaluation.is_needed(generation, before, fast, known)

    def _losses(self, generation: Generation, pair: int) -> Vector:
        """The losses of a pair, `[2]`."""
        seat_scores = generation.seat_scores[2 * pair : 2 * pair + 2]
        return np.array(
            [loss_of(seat_score.counted, self._directions) for seat_score in seat_scores]
        )

    def step(self, generation: Generation, pair: int) -> tuple[Vector, Vector]:
        """The next position and velocity `[variables]` of a pair's slow learner.

        Where moves are screened the position is settled (`Encoding.canonical`), and the velocity is
        the way to it: both are seen from parameters alone.
        """
        encoding, members = generation.encoding, generation.pairs[pair]
        assert encoding is not None
        fast, slow = members if generation.first_fast[pair] else members[::-1]
        rule = partial(
            learn,
            generation.positions[slow],
            generation.velocities[slow],
            generation.positions[fast],
            low=encoding.low,
            high=encoding.high,
            reflected=encoding.continuous if self._settings.screening.on else None,
        )
        l1, l2 = self._draws.matrices(list(encoding.space), generation.index)
        position, velocity = rule(l1=l1[pair], l2=l2[pair])
        visited, last = self._visited, generation.index - 1
        if visited is not None and visited.all_visited(last):
            visited = None
        if self._settings.screening.on:
            screened = self._moves.choose(
                generation,
                pair,
                self._losses(generation, pair),
                (l1[pair], l2[pair]),
                self._is_taken(generation, pair, visited),
            )
            if screened is not None:
                return self._settled(generation, slow, screened)
        if visited is not None and visited.is_visited(position, last):
            position = propose_unvisited(
                encoding,
                position,
                redraw=lambda l1, l2: rule(l1=l1, l2=l2)[0],
                visited=visited,
                generation=last,
                random=redraw_generator(self._settings.seed, generation.index, pair),
            )
        if self._settings.screening.on:
            return self._settled(generation, slow, position)
        return position, velocity

    def _settled(
        self, generation: Generation, slow: int, position: Vector
    ) -> tuple[Vector, Vector]:
        """What is seen of a member's move from parameters alone."""
        assert generation.encoding is not None
        settled = generation.encoding.canonical(position)
        return settled, settled - generation.positions[slow]

    def _is_taken(
        self, generation: Generation, pair: int, visited: VisitedArchitectures | None
    ) -> Callable[[Vector], bool]:
        """Whether a position's architecture was scored by a pair or before its generation.

        If all architectures of the space were scored, `visited` is None and nothing is.
        """
        if visited is None:
            return lambda x: False
        last, known = generation.index - 1, visited
        own = [
            (trial, generation.positions[member])
            for i, member in enumerate(generation.pairs[pair].tolist())
            if (trial := generation.seat_scores[2 * pair + i].scored_trial) is not None
        ]
        return lambda x: known.is_visited(x, last) or any(known.is_same(x, *one) for one in own)

    def random_position(self, generation: Generation, member: int) -> Vector:
        """A position `[variables]` for a member that is drawn evenly, whatever was visited."""
        encoding, seat = generation.encoding, generation.seat(member)
        assert encoding is not None
        drawn = [
            uniform(self._settings.seed, generation.index, seat, name) for name in encoding.space
        ]
        return encoding.low + np.array(drawn) * (encoding.high - encoding.low)

    def _avoids_repeats(self, encoding: Encoding) -> bool:
        finite = encoding.counts is not None
        return self._settings.avoids_repeats and (finite or self._settings.screening.on)

    def _less_crowded(self, seat_scores: Sequence[SeatScore], before: Generation) -> int:
        own = [seat_score.counted for seat_score in seat_scores]
        points = [
            losses(trial, self._directions)
            for trial in own
            if trial is not None and trial.state == TrialState.COMPLETE
        ]
        if len(points) < 2:
            return 0
        others = [
            seat_score.counted
            for seat_score in before.seat_scores
            if seat_score.counted is not None
            and all(seat_score.counted is not trial for trial in own)
        ]
        reference = [
            losses(trial, self._directions)
            for trial in others
            if trial.state == TrialState.COMPLETE and violation(trial) == 0
        ]
        return less_crowded(points[0], points[1], np.array(reference))
