"""How a scored pair goes on: who of it is fast, and where the slow learner moves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.comparison import compare, less_crowded, losses, violation
from relativenas_optuna.samplers.draws import again, uniform
from relativenas_optuna.samplers.repeats import Scored, around
from relativenas_optuna.samplers.slow_fast import learn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.study import StudyDirection

    from relativenas_optuna.samplers.draws import Draws
    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.generations import Generation
    from relativenas_optuna.samplers.outcomes import Tally
    from relativenas_optuna.samplers.settings import Settings

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
        self._scored: Scored | None = None

    def forget(self) -> None:
        """Begin anew to remember what was scored."""
        self._scored = None

    def remember(
        self, tally: Tally, index: int, encoding: Encoding | None, position: Vector | None = None
    ) -> None:
        """Remember that generation `index` scored what a seat's trial says, at a `position`."""
        if encoding is None or tally.scored_trial is None or not self._avoids_repeats(encoding):
            return
        if self._scored is None:
            self._scored = Scored(encoding)
        self._scored.add(tally.scored_trial, index, position)

    def need_history(self, generation: Generation, tallies: Sequence[Tally]) -> bool:
        """Whether a scored pair waits for the generation before its own to be complete."""
        assert generation.encoding is not None
        if self._avoids_repeats(generation.encoding):
            return True
        return len(self._directions) > 1 and compare(tallies[0], tallies[1], self._directions) == 0

    def first_is_fast(self, tallies: Sequence[Tally], before: Generation | None) -> bool:
        """Whether the first of a pair is the fast learner, which it is in a tie.

        Of two that do not dominate each other that one is fast which is less crowded by the
        generation `before`.
        """
        order = compare(tallies[0], tallies[1], self._directions)
        if order == 0 and before is not None and len(self._directions) > 1:
            order = self._less_crowded(tallies, before)
        return order <= 0

    def step(self, generation: Generation, pair: int) -> tuple[Vector, Vector]:
        """The next position and velocity `[variables]` of a pair's slow learner."""
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
        )
        l1, l2 = self._draws.matrices(list(encoding.space), generation.index)
        position, velocity = rule(l1=l1[pair], l2=l2[pair])
        scored, last = self._scored, generation.index - 1
        if scored is None or not scored.is_taken(position, last) or scored.all_taken(last):
            return position, velocity
        position = around(
            encoding,
            position,
            redraw=lambda l1, l2: rule(l1=l1, l2=l2)[0],
            is_taken=lambda x: scored.is_taken(x, last),
            random=again(self._settings.seed, generation.index, pair),
        )
        return position, velocity

    def anywhere(self, generation: Generation, member: int) -> Vector:
        """A position `[variables]` for a member that is drawn evenly, whatever was scored."""
        encoding, seat = generation.encoding, generation.seat(member)
        assert encoding is not None
        drawn = [
            uniform(self._settings.seed, generation.index, seat, name) for name in encoding.space
        ]
        return encoding.low + np.array(drawn) * (encoding.high - encoding.low)

    def _avoids_repeats(self, encoding: Encoding) -> bool:
        return self._settings.avoids_repeats and encoding.counts is not None

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
