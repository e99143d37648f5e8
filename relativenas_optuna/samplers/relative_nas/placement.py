"""Positions of the members: at the start, as they were scored, and after a move."""

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
    from relativenas_optuna.samplers.limits.within import WithinLimits
    from relativenas_optuna.samplers.relative_nas.draws import Draws
    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
    from relativenas_optuna.samplers.relative_nas.learning import Learning
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.seats.claims import Seat

    Vector = NDArray[np.float64]


class Placement:
    """The rules that give the members of all generations their positions.

    Args:
        settings: Settings of the search.
        draws: Random numbers of the search.
        start: Complete trials of other samplers; the member on seat i starts from trial i.
        limited: The positions that keep the limits of the search; None without limits.
    """

    def __init__(
        self,
        settings: Settings,
        draws: Draws,
        start: Sequence[FrozenTrial],
        limited: WithinLimits | None,
    ) -> None:
        self._settings = settings
        self._limited = limited
        self._draws = draws
        self._start = start

    def start(self, generation: PairedGeneration, encoding: Encoding) -> None:
        """Give the members of a generation their start positions."""
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
        if self._limited is not None:
            generation.positions = np.array(
                [
                    self._limited.drawn(position, generation.index, member)
                    for member, position in enumerate(generation.positions)
                ]
            )
        if self._settings.screening.on:
            generation.positions = np.array([encoding.canonical(x) for x in generation.positions])
        generation.velocities = np.zeros_like(generation.positions)
        for number in range(len(self._start) if generation.index == 0 else 0):
            member = generation.member(number)
            generation.positions[member] = encoding.adopt(
                generation.positions[member], self._start[number].params
            )
            self.limit(generation, member)
        generation.proposed = generation.positions.copy()

    def limit(self, generation: PairedGeneration, member: int) -> None:
        """Move a member whose architecture breaks a limit to the nearest one that keeps it."""
        if self._limited is not None:
            generation.positions[member] = self._limited.nearest(generation.positions[member])

    def drawn(
        self, seat: Seat, name: str, distribution: BaseDistribution, known: Mapping[str, Any]
    ) -> float:
        """Return the point of a parameter that is not in the encoding of a seat's position.

        It is the point of the value in `known`, if there is one. Otherwise it depends on seed, seat
        and name alone.
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
        """Return a position `[variables of before]` in another encoding, `[variables of after]`.

        New variables are drawn by `drawn` for `seat` and `known`.
        """
        kept = dict(zip(before.space, position.tolist(), strict=True))
        return np.array(
            [
                kept[name] if name in kept else self.drawn(seat, name, distribution, known)
                for name, distribution in after.space.items()
            ]
        )

    def extend(
        self, generation: PairedGeneration, following: PairedGeneration, encoding: Encoding
    ) -> None:
        """Convert a complete generation and the following one to another encoding."""
        before = generation.encoding
        assert before is not None
        dropped = before.space.keys() - encoding.space.keys()
        proposed = [before.decode(position) for position in following.positions]
        following.dropped = [{name: params[name] for name in dropped} for params in proposed]
        scored = [generation.scored_params(m) for m in range(self._settings.population_size)]
        stays = [seat.generation < following.index for seat in following.origins]
        staying = [known if s else {} for known, s in zip(scored, stays, strict=True)]
        self._convert(generation, encoding, scored)
        self._convert(following, encoding, staying)

    def _convert(
        self, generation: PairedGeneration, encoding: Encoding, known: Sequence[Mapping[str, Any]]
    ) -> None:
        """Convert a generation to another encoding; `known` are the members' parameters, `[N]`."""
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
        generation: PairedGeneration,
        member: int,
        trial: FrozenTrial,
        before: PairedGeneration | None,
    ) -> None:
        """Set a member's position to the parameters with which it was scored."""
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
        self,
        generation: PairedGeneration,
        following: PairedGeneration,
        pair: int,
        by: Learning,
        basis: str,
    ) -> None:
        """Move the slow learner of a pair to the next generation.

        Args:
            generation: The generation of the pair.
            following: The next generation.
            pair: Number of the pair.
            by: The learning rule.
            basis: Digest of the scores on which the move depends.
        """
        _, slow = generation.learners(pair)
        encoding = generation.encoding
        assert encoding is not None
        trial = following.seat_scores[following.seat(slow)].scored_trial
        if trial is not None and self._shows_move(trial, encoding, basis):
            # Scored already, as most are that a new process reads: the trial shows the move.
            position = encoding.position_of(trial.params, generation.positions[slow])
            velocity = position - generation.positions[slow]
            seen = position
        else:
            position, velocity = by.step(generation, pair)
            # A position that is read from parameters may have other last digits.
            pending = self._settings.screening.models_pending
            seen = encoding.canonical(position) if pending else position
        following.positions[slow], following.velocities[slow] = position, velocity
        following.proposed[slow] = seen

    def keep(self, generation: PairedGeneration, following: PairedGeneration, fast: int) -> None:
        """Let a fast learner keep its place in the next generation.

        If it is scored anew and a user enqueued its architecture above a limit, it moves within.
        """
        following.positions[fast] = generation.positions[fast]
        if not self._settings.keeps_scores:
            self.limit(following, fast)
        following.proposed[fast] = following.positions[fast]
        following.velocities[fast] = generation.velocities[fast]
        if self._settings.space is None:
            following.origins[fast] = generation.origins[fast]

    def _shows_move(self, trial: FrozenTrial, encoding: Encoding, basis: str) -> bool:
        """Return True if a trial shows where its member moved, by the present scores."""
        screening = self._settings.screening
        if not screening.on or not encoding.describes(trial.params):
            return False
        return not screening.models_pending or is_as_proposed(trial, encoding, basis)


def is_as_proposed(trial: FrozenTrial, encoding: Encoding, basis: str) -> bool:
    """Return True if a trial's parameters are those that were proposed at its seat.

    Args:
        trial: A trial with all parameters of the encoding.
        encoding: Encoding of the proposal.
        basis: Digest of the scores on which the proposal depended.
    """
    proposed = claim_data(trial.system_attrs).get("proposed")
    return bool(proposed == encoding.fingerprint(trial.params, basis))
