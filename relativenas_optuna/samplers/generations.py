"""Who plays which member of which generation, read from the study's trials alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.claims import Claim, Seat
from relativenas_optuna.samplers.draws import Draws, KeyedDraws, PaperDraws
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.outcomes import Tally, first_is_fast
from relativenas_optuna.samplers.slow_fast import learn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.settings import Settings

    Vector = NDArray[np.float64]


@dataclass
class Generation:
    """One generation of N members, as far as it is known.

    Attributes:
        index: Its number, from 0.
        pairs: Members of each pair, `[N / 2, 2]`.
        tallies: The trials of each seat.
        encoding: The variables of its positions; `None` while the search space is not known.
        positions: `[N, variables]`, proposed; of a pair that has learned, as it was really scored.
        velocities: `[N, variables]`.
        ready: `[N]`, whether a member's position is known.
        learned: `[N / 2]`, whether a pair's learners went on to the next generation.
        first_fast: `[N / 2]`, whether the first of a pair is the fast learner; where it learned.
    """

    index: int
    pairs: NDArray[np.intp]
    tallies: list[Tally]
    encoding: Encoding | None
    positions: Vector
    velocities: Vector
    ready: NDArray[np.bool_]
    learned: NDArray[np.bool_]
    first_fast: NDArray[np.bool_]

    def member(self, seat: int) -> int:
        """The member that sits on a seat."""
        return int(self.pairs[seat // 2, seat % 2])

    @property
    def complete(self) -> bool:
        """Whether every seat is scored."""
        return all(tally.scored for tally in self.tallies)


class Population:
    """The generations of a search, replayed from its trials.

    Where the search space is given beforehand, a pair that is scored moves on at once, whatever
    the others do. Where it is learned from the trials, generation g + 1 has the parameters common
    to all complete trials of the generations up to g, which therefore must be complete.
    """

    def __init__(self, settings: Settings, *, maximize: bool) -> None:
        assert settings.seed is not None
        self.settings = settings
        self.seed = settings.seed
        self._maximize = maximize
        self._encoding = None if settings.space is None else Encoding.of(settings.space)
        self._draws: Draws = (
            KeyedDraws(self.seed, settings.population_size)
            if self._encoding is None
            else PaperDraws(self.seed, settings.population_size, len(self._encoding.space))
        )
        self._tallies: dict[Seat, Tally] = {}
        self.generations: list[Generation] = [self._begin(0, self._encoding)]
        self._frontier = 0  # all generations before it have wholly learned

    def add(self, trial: FrozenTrial, claim: Claim) -> None:
        """Count in a finished trial; call `advance` after the last of several."""
        if not 0 <= claim.seat.number < self.settings.population_size or claim.seat.generation < 0:
            return  # a study's attributes are open to anyone
        changed = self._tally(claim.seat).add(trial)
        known = self.generations[claim.seat.generation : claim.seat.generation + 1]
        if changed and any(generation.learned[claim.seat.pair] for generation in known):
            self._replay()  # it had finished before the trial that we knew

    def advance(self) -> None:
        """Let every pair learn that can."""
        index = self._frontier
        while index < len(self.generations):
            generation = self.generations[index]
            if self._encoding is None:
                self._learn_together(generation)
            else:
                for pair in np.flatnonzero(~generation.learned).tolist():
                    self._learn_if_scored(generation, pair)
            if index == self._frontier and generation.learned.all():
                self._frontier += 1
            index += 1

    def open_seats(self) -> Iterator[Seat]:
        """Seats that can be scored and are not, in the order in which they are given out."""
        for generation in self.generations[self._frontier :]:
            for number, tally in enumerate(generation.tallies):
                if not tally.scored and generation.ready[generation.member(number)]:
                    yield Seat(generation.index, number)

    def is_scored(self, seat: Seat) -> bool:
        """Whether a seat needs no further trial."""
        return seat in self._tallies and self._tallies[seat].scored

    def counted(self, seat: Seat) -> FrozenTrial | None:
        """The trial whose score is the seat's; `None` where there is none, or none without fail."""
        return self._tallies[seat].counted if seat in self._tallies else None

    def proposal(self, seat: Seat) -> tuple[Encoding, Vector] | None:
        """The position `[variables]` to score at a seat; `None` where it is not known (yet).

        In the generations in which the search space is still unknown it has no variables.
        """
        if seat.generation >= len(self.generations):
            return None
        generation = self.generations[seat.generation]
        member = generation.member(seat.number)
        if not generation.ready[member]:
            return None
        if generation.encoding is None:
            return Encoding({}), np.empty(0)
        return generation.encoding, generation.positions[member]

    def scored_seats(self, generations: int) -> int:
        """How many seats of the first `generations` are scored."""
        return sum(
            tally.scored for seat, tally in self._tallies.items() if seat.generation < generations
        )

    def _tally(self, seat: Seat) -> Tally:
        return self._tallies.setdefault(seat, Tally())

    def _begin(self, index: int, encoding: Encoding | None) -> Generation:
        size = self.settings.population_size
        variables = 0 if encoding is None else len(encoding.space)
        generation = Generation(
            index=index,
            pairs=self._draws.pairs(index),
            tallies=[self._tally(Seat(index, number)) for number in range(size)],
            encoding=encoding,
            positions=np.full((size, variables), np.nan),
            velocities=np.zeros((size, variables)),
            ready=np.full(size, index == 0 or encoding is None),
            learned=np.zeros(size // 2, dtype=np.bool_),
            first_fast=np.zeros(size // 2, dtype=np.bool_),
        )
        if index == 0 and encoding is not None:
            self._start(generation, encoding)
        return generation

    def _start(self, generation: Generation, encoding: Encoding) -> None:
        low, high = encoding.low, encoding.high
        uniform = self._draws.start(list(encoding.space), generation.index)
        generation.encoding = encoding
        generation.positions = low + uniform * (high - low)
        generation.velocities = np.zeros_like(generation.positions)

    def _replay(self) -> None:
        self.generations = [self._begin(0, self._encoding)]
        self._frontier = 0
        self.advance()

    def _learn_together(self, generation: Generation) -> None:
        if not generation.complete or generation.learned.all():
            return
        common = self._common_space(generation)
        if common is None:
            # Not one complete trial so far: the next generation starts like the first.
            generation.learned[:] = True
            self.generations.append(self._begin(generation.index + 1, None))
            return
        encoding = Encoding.of(common)
        if generation.encoding is None:
            self._start(generation, encoding)
        elif generation.encoding != encoding:
            kept = [list(generation.encoding.space).index(name) for name in encoding.space]
            generation.encoding = encoding
            generation.positions = generation.positions[:, kept]
            generation.velocities = generation.velocities[:, kept]
        for pair in range(len(generation.pairs)):
            self._learn_if_scored(generation, pair)

    def _common_space(self, generation: Generation) -> dict[str, Any] | None:
        spaces = [
            tally.counted.distributions
            for tally in generation.tallies
            if tally.counted is not None and tally.counted.state == TrialState.COMPLETE
        ]
        if generation.encoding is not None:
            spaces.append(dict(generation.encoding.space))
        if not spaces:
            return None
        return {
            name: distribution
            for name, distribution in sorted(spaces[0].items())
            if all(space.get(name) == distribution for space in spaces)
        }

    def _learn_if_scored(self, generation: Generation, pair: int) -> None:
        first, second = generation.tallies[2 * pair], generation.tallies[2 * pair + 1]
        members = generation.pairs[pair]
        if not (first.scored and second.scored and generation.ready[members].all()):
            return
        encoding = generation.encoding
        assert encoding is not None
        for member, tally in zip(members.tolist(), (first, second), strict=True):
            assert tally.scored_trial is not None
            generation.positions[member] = encoding.adopt(
                generation.positions[member], tally.scored_trial.params
            )
        if generation.index + 1 == len(self.generations):
            self.generations.append(self._begin(generation.index + 1, encoding))
        following = self.generations[generation.index + 1]
        generation.first_fast[pair] = first_is_fast(first, second, maximize=self._maximize)
        fast, slow = members if generation.first_fast[pair] else members[::-1]
        l1, l2 = self._draws.matrices(list(encoding.space), generation.index)
        following.positions[slow], following.velocities[slow] = learn(
            generation.positions[slow],
            generation.velocities[slow],
            generation.positions[fast],
            l1=l1[pair],
            l2=l2[pair],
            low=encoding.low,
            high=encoding.high,
        )
        following.positions[fast] = generation.positions[fast]
        following.velocities[fast] = generation.velocities[fast]
        following.ready[members] = True
        generation.learned[pair] = True
