"""Where members are: at the start, where they were really scored, and after a move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.claims import is_as_proposed
from relativenas_optuna.samplers.draws import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.draws import Draws
    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.generations import Generation
    from relativenas_optuna.samplers.learning import Learning
    from relativenas_optuna.samplers.settings import Settings

    Vector = NDArray[np.float64]


class Placing:
    """Gives the members of a search's generations their positions.

    Args:
        settings: Of the search.
        draws: Of the search.
        start: Complete trials of others; trial i is where the member on seat i starts from.
    """

    def __init__(self, settings: Settings, draws: Draws, start: Sequence[FrozenTrial]) -> None:
        self._settings = settings
        self._draws = draws
        self._start = start

    def begin(self, generation: Generation, encoding: Encoding) -> None:
        """Give a generation its first positions."""
        low, high = encoding.low, encoding.high
        names = list(encoding.space)
        if self._settings.screening.spread:
            uniform = np.empty((self._settings.population_size, len(names)))
            for i, name in enumerate(names):
                uniform[generation.pairs.ravel(), i] = spread(
                    self._settings.seed, generation.index, name, self._settings.population_size
                )
        else:
            uniform = self._draws.start(names, generation.index)
        generation.encoding = encoding
        generation.positions = low + uniform * (high - low)
        generation.velocities = np.zeros_like(generation.positions)
        for number in range(len(self._start) if generation.index == 0 else 0):
            member = generation.member(number)
            generation.positions[member] = encoding.adopt(
                generation.positions[member], self._start[number].params
            )
        generation.proposed = generation.positions.copy()

    def adopt(
        self,
        generation: Generation,
        member: int,
        trial: FrozenTrial,
        before: Generation | None,
    ) -> None:
        """Move a member to where it was really scored."""
        encoding, position = generation.encoding, generation.positions[member]
        assert encoding is not None
        if not self._settings.screening.on:
            generation.positions[member] = encoding.adopt(position, trial.params)
            return
        scored = encoding.position_of(trial.params, position)
        if generation.again[member] and np.array_equal(scored, position):
            return  # it has not moved
        generation.positions[member] = scored
        if before is not None and before.encoding is not None:
            start = before.positions_over(encoding)[member]
            generation.velocities[member] = scored - start

    def move(
        self, generation: Generation, following: Generation, pair: int, by: Learning, basis: str
    ) -> None:
        """Move the slow learner of a pair in the generation `following`.

        `basis` is the digest of the scores that the move rests on.
        """
        slow = int(generation.pairs[pair, 1 if generation.first_fast[pair] else 0])
        encoding = generation.encoding
        assert encoding is not None
        trial = following.tallies[following.seat(slow)].scored_trial
        if trial is not None and self._shows_move(trial, encoding, basis):
            # Scored already, as most are that a new process reads: it is known where it went.
            position = encoding.position_of(trial.params, generation.positions[slow])
            velocity = position - generation.positions[slow]
            seen = position
        else:
            position, velocity = by.step(generation, pair)
            # What is read from its parameters may have other last digits.
            seen = encoding.settled(position) if self._settings.screening.pending else position
        following.positions[slow], following.velocities[slow] = position, velocity
        following.proposed[slow] = seen

    def _shows_move(self, trial: FrozenTrial, encoding: Encoding, basis: str) -> bool:
        """Whether it is seen from a trial where its member moved, by the scores as they are."""
        screening = self._settings.screening
        if not screening.on or not encoding.describes(trial.params):
            return False
        return not screening.pending or is_as_proposed(trial, encoding, basis)
