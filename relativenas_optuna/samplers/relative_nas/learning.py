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
from relativenas_optuna.samplers.relative_nas.draws import again, uniform
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.candidate_moves import Moves
from relativenas_optuna.samplers.relative_nas.surrogate.history import History
from relativenas_optuna.samplers.relative_nas.surrogate.reevaluation import Rescoring
from relativenas_optuna.samplers.relative_nas.visited import Scored, around

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
    from relativenas_optuna.samplers.seats.seat_score import Tally

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
        self._remembered: list[tuple[Tally, Seat, Seat, Vector]] = []
        self._scored: Scored | None = None
        self._history = History()
        self._moves = Moves(self._settings, self._history)
        self._rescoring = Rescoring(self._settings.screening.scores, self._history)
        self._known: set[int] = set()  # numbers of the trials that are remembered

    def remember(
        self, tally: Tally, seat: Seat, origin: Seat, encoding: Encoding, position: Vector
    ) -> None:
        """Remember what a seat scored at a `position` `[variables]`.

        `origin` is the seat by which its independent values are drawn.
        """
        trial = tally.scored_trial
        if trial is None or trial.number in self._known:
            return
        self._known.add(trial.number)
        self._remembered.append((tally, seat, origin, position))
        if self._settings.screening.on:
            loss = loss_of(tally.counted, self._directions)
            self._history.add(seat.generation, seat.number, position, loss)
        if self._avoids_repeats(encoding):
            if self._scored is None:
                self._scored = Scored(encoding)
            self._scored.add(trial, seat.generation, position)

    def extend(
        self, encoding: Encoding, extended: Callable[[Vector, Seat, Mapping[str, Any]], Vector]
    ) -> None:
        """Bring all that is remembered to another encoding.

        `extended` returns a position over it for a position, its origin and its trial's parameters.
        """
        remembered = self._remembered
        self._forget()
        for tally, seat, origin, position in remembered:
            trial = tally.scored_trial
            assert trial is not None
            self.remember(tally, seat, origin, encoding, extended(position, origin, trial.params))

    def need_history(self, generation: Generation, tallies: Sequence[Tally]) -> bool:
        """Whether a scored pair waits for the generation before its own to be complete."""
        assert generation.encoding is not None
        if self._settings.screening.on or self._avoids_repeats(generation.encoding):
            return True
        return len(self._directions) > 1 and compare(tallies[0], tallies[1], self._directions) == 0

    def first_is_fast(self, generation: Generation, pair: int, before: Generation | None) -> bool:
        """Whether the first of a pair is the fast learner, which it is in a tie.

        Of two that do not dominate each other that one is fast which is less crowded by the
        generation `before`. What was scored more than once has the mean of its scores.
        """
        tallies = generation.tallies[2 * pair : 2 * pair + 2]
        if self._settings.screening.rescores:
            pools = self._rescoring.pools(generation, pair, self._losses(generation, pair))
            again = generation.again[generation.pairs[pair]].any()  # which may have failed
            if again or max(pool.count for pool in pools) > 1:
                return pools[0].mean <= pools[1].mean
        order = compare(tallies[0], tallies[1], self._directions)
        if order == 0 and before is not None and len(self._directions) > 1:
            order = self._less_crowded(tallies, before)
        return order <= 0

    def scores_again(self, generation: Generation, before: Generation, fast: int) -> bool:
        """Whether the fast learner of a pair, a member, is scored again in the next generation."""
        if not self._settings.screening.rescores:
            return False
        seat = generation.seat(fast)
        losses = self._losses(generation, seat // 2)
        pool = self._rescoring.pools(generation, seat // 2, losses)[seat % 2]
        return self._rescoring.is_wanted(generation, before, fast, pool)

    def _losses(self, generation: Generation, pair: int) -> Vector:
        """The losses of a pair, `[2]`."""
        tallies = generation.tallies[2 * pair : 2 * pair + 2]
        return np.array([loss_of(tally.counted, self._directions) for tally in tallies])

    def step(self, generation: Generation, pair: int) -> tuple[Vector, Vector]:
        """The next position and velocity `[variables]` of a pair's slow learner.

        Where moves are screened the position is settled (`Encoding.settled`), and the velocity is
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
        scored, last = self._scored, generation.index - 1
        if scored is not None and scored.all_taken(last):
            scored = None
        if self._settings.screening.on:
            screened = self._moves.of_pair(
                generation,
                pair,
                self._losses(generation, pair),
                (l1[pair], l2[pair]),
                self._is_taken(generation, pair, scored),
            )
            if screened is not None:
                return self._settled(generation, slow, screened)
        if scored is not None and scored.is_taken(position, last):
            position = around(
                encoding,
                position,
                redraw=lambda l1, l2: rule(l1=l1, l2=l2)[0],
                scored=scored,
                generation=last,
                random=again(self._settings.seed, generation.index, pair),
            )
        if self._settings.screening.on:
            return self._settled(generation, slow, position)
        return position, velocity

    def _settled(
        self, generation: Generation, slow: int, position: Vector
    ) -> tuple[Vector, Vector]:
        """What is seen of a member's move from parameters alone."""
        assert generation.encoding is not None
        settled = generation.encoding.settled(position)
        return settled, settled - generation.positions[slow]

    def _is_taken(
        self, generation: Generation, pair: int, scored: Scored | None
    ) -> Callable[[Vector], bool]:
        """Whether a position's architecture was scored by a pair or before its generation.

        If all architectures of the space were scored, `scored` is none: nothing is.
        """
        if scored is None:
            return lambda x: False
        last, known = generation.index - 1, scored
        own = [
            (trial, generation.positions[member])
            for i, member in enumerate(generation.pairs[pair].tolist())
            if (trial := generation.tallies[2 * pair + i].scored_trial) is not None
        ]
        return lambda x: known.is_taken(x, last) or any(known.is_same(x, *one) for one in own)

    def anywhere(self, generation: Generation, member: int) -> Vector:
        """A position `[variables]` for a member that is drawn evenly, whatever was scored."""
        encoding, seat = generation.encoding, generation.seat(member)
        assert encoding is not None
        drawn = [
            uniform(self._settings.seed, generation.index, seat, name) for name in encoding.space
        ]
        return encoding.low + np.array(drawn) * (encoding.high - encoding.low)

    def _avoids_repeats(self, encoding: Encoding) -> bool:
        finite = encoding.counts is not None
        return self._settings.avoids_repeats and (finite or self._settings.screening.on)

    def _less_crowded(self, tallies: Sequence[Tally], before: Generation) -> int:
        own = [tally.counted for tally in tallies]
        points = [
            losses(trial, self._directions)
            for trial in own
            if trial is not None and trial.state == TrialState.COMPLETE
        ]
        if len(points) < 2:
            return 0
        others = [
            tally.counted
            for tally in before.tallies
            if tally.counted is not None and all(tally.counted is not trial for trial in own)
        ]
        reference = [
            losses(trial, self._directions)
            for trial in others
            if trial.state == TrialState.COMPLETE and violation(trial) == 0
        ]
        return less_crowded(points[0], points[1], np.array(reference))
