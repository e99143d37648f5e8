"""Where members are: at the start, where they were really scored, and after a move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.intervals import decode, encode, interval, is_value_of
from relativenas_optuna.samplers.relative_nas.draws import latin_hypercube
from relativenas_optuna.samplers.seats.claims import claim_data
from relativenas_optuna.samplers.seats.keyed_random import uniform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.draws import Draws
    from relativenas_optuna.samplers.relative_nas.generation import Generation
    from relativenas_optuna.samplers.relative_nas.learning import Learning
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.claims import Seat

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
        if self._settings.screening.latin_hypercube:
            shares = np.empty((self._settings.population_size, len(names)))
            for i, name in enumerate(names):
                shares[generation.pairs.ravel(), i] = latin_hypercube(
                    self._settings.seed, generation.index, name, self._settings.population_size
                )
        else:
            shares = self._draws.start(names, generation.index)
        generation.encoding = generation.first_encoding = encoding
        generation.positions = low + shares * (high - low)
        if self._settings.screening.on:
            generation.positions = np.array([encoding.canonical(x) for x in generation.positions])
        generation.velocities = np.zeros_like(generation.positions)
        for number in range(len(self._start) if generation.index == 0 else 0):
            member = generation.member(number)
            generation.positions[member] = encoding.adopt(
                generation.positions[member], self._start[number].params
            )
        generation.proposed = generation.positions.copy()

    def drawn(
        self, seat: Seat, name: str, distribution: BaseDistribution, known: Mapping[str, Any]
    ) -> float:
        """Return the point of a parameter that a seat's position has no variable for.

        It is that of the parameter's value in `known`, if there is one. Otherwise it depends on
        seed, seat and name alone.
        """
        if name in known and is_value_of(distribution, known[name]):
            return encode(distribution, known[name])
        settings = self._settings
        if settings.screening.latin_hypercube:
            size = settings.population_size
            share = float(latin_hypercube(settings.seed, seat.generation, name, size)[seat.number])
        else:
            share = uniform(settings.seed, seat.generation, seat.number, name)
        low, high = interval(distribution)
        point = low + share * (high - low)
        if settings.screening.on:  # as `Encoding.canonical`
            return encode(distribution, decode(distribution, point))
        return point

    def extended(
        self,
        before: Encoding,
        after: Encoding,
        position: Vector,
        seat: Seat,
        known: Mapping[str, Any],
    ) -> Vector:
        """Return a position `[variables of before]` over the variables of another encoding.

        New variables are what `drawn` says of `seat` and `known`.
        """
        kept = dict(zip(before.space, position.tolist(), strict=True))
        return np.array(
            [
                kept[name] if name in kept else self.drawn(seat, name, distribution, known)
                for name, distribution in after.space.items()
            ]
        )

    def extend(
        self, generation: Generation, encoding: Encoding, known: Sequence[Mapping[str, Any]]
    ) -> None:
        """Bring a generation to another encoding; `known` are its members' parameters, `[N]`."""
        before = generation.encoding
        assert before is not None
        places = {name: i for i, name in enumerate(before.space)}
        arrays = generation.positions, generation.proposed
        generation.positions, generation.proposed = (
            np.array(
                [
                    self.extended(before, encoding, row, generation.origins[member], known[member])
                    for member, row in enumerate(array)
                ]
            )
            for array in arrays
        )
        velocities = np.zeros_like(generation.positions)
        for i, name in enumerate(encoding.space):
            if name in places:
                velocities[:, i] = generation.velocities[:, places[name]]
        generation.velocities = velocities
        generation.encoding = encoding

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
        if generation.reevaluated[member] and np.array_equal(scored, position):
            return  # it has not moved
        generation.positions[member] = scored
        if before is not None and before.encoding is not None:
            generation.velocities[member] = scored - before.positions[member]

    def move(
        self, generation: Generation, following: Generation, pair: int, by: Learning, basis: str
    ) -> None:
        """Move the slow learner of a pair in the generation `following`.

        `basis` is the digest of the scores that the move rests on.
        """
        slow = int(generation.pairs[pair, 1 if generation.first_fast[pair] else 0])
        encoding = generation.encoding
        assert encoding is not None
        trial = following.seat_scores[following.seat(slow)].scored_trial
        if trial is not None and self._shows_move(trial, encoding, basis):
            # Scored already, as most are that a new process reads: it is known where it went.
            position = encoding.position_of(trial.params, generation.positions[slow])
            velocity = position - generation.positions[slow]
            seen = position
        else:
            position, velocity = by.step(generation, pair)
            # What is read from its parameters may have other last digits.
            seen = (
                encoding.canonical(position)
                if self._settings.screening.models_pending
                else position
            )
        following.positions[slow], following.velocities[slow] = position, velocity
        following.proposed[slow] = seen

    def _shows_move(self, trial: FrozenTrial, encoding: Encoding, basis: str) -> bool:
        """Whether it is seen from a trial where its member moved, by the scores as they are."""
        screening = self._settings.screening
        if not screening.on or not encoding.describes(trial.params):
            return False
        return not screening.models_pending or is_as_proposed(trial, encoding, basis)


def is_as_proposed(trial: FrozenTrial, encoding: Encoding, basis: str) -> bool:
    """Whether a trial, which has all parameters, has those that a `basis` proposed at its seat."""
    proposed = claim_data(trial.system_attrs).get("proposed")
    return bool(proposed == encoding.fingerprint(trial.params, basis))
