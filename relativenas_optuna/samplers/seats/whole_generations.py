"""Populations that draw a generation when the one before is complete."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, interval
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.keyed_random import uniform
from relativenas_optuna.samplers.seats.population import Population, Proposal
from relativenas_optuna.samplers.seats.seat_score import SeatScore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.settings import PopulationSettings
    from relativenas_optuna.samplers.seats.trial_reader import TrialReader


@dataclass(frozen=True, eq=False)
class WholeGeneration:
    """A generation whose seat k scores member k.

    Args:
        index: Number of the generation, from 0.
        encoding: Encoding of the positions.
        seat_scores: The score of each seat.
        draw: Function that returns the positions, called at their first use.
    """

    index: int
    encoding: Encoding
    seat_scores: list[SeatScore]
    draw: Callable[[], NDArray[np.float64]] = field(repr=False)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Positions of the members, `[N, variables]`."""
        return self.draw()

    @property
    def complete(self) -> bool:
        """True if every seat is scored."""
        return all(score.scored for score in self.seat_scores)

    def member(self, seat: int) -> int:
        """Return the number of the member that a seat scores."""
        return seat


class WholeGenerations(Population):
    """A population that draws a generation when the one before is complete.

    A subclass gives `positions`. Without a search space a proposal has no variables, and all
    parameters are drawn uniformly.

    Args:
        settings: Settings of the search.
        directions: Directions of the study.
        trials: Not used.

    Attributes:
        limited: The positions that keep the limits of the search; None without limits.
        encoding: Encoding of the positions of the newest generation.
        generations: The complete generations in their order, and the open one.
    """

    def __init__(
        self,
        settings: PopulationSettings,
        directions: Sequence[StudyDirection],
        trials: TrialReader | Sequence[FrozenTrial] = (),
    ) -> None:
        self.settings = settings
        self.directions = directions
        self.limited = settings.within_limits()
        self.encoding = Encoding.of(settings.space or {})
        self.generations: list[WholeGeneration] = []
        self._seat_scores: dict[Seat, SeatScore] = {}

    @abstractmethod
    def positions(self, index: int) -> NDArray[np.float64]:
        """Return the positions of generation `index`, `[N, variables]`.

        They must depend only on the settings and on the generations before it, which are all
        complete. One that is above a limit of the search is replaced by the nearest one within.
        """

    def new_generation(self, index: int) -> WholeGeneration:
        """Return generation `index`; those before it are complete."""
        seats = [Seat(index, number) for number in range(self.settings.population_size)]
        scores = list(map(self._seat_score, seats))
        return WholeGeneration(index, self.encoding, scores, partial(self._within_limits, index))

    def _within_limits(self, index: int) -> NDArray[np.float64]:
        positions = self.positions(index)
        if self.limited is None:
            return positions
        within = np.array([self.limited.nearest(position) for position in positions])
        if self.limited.limits.lack_functions:  # a process that only looks at the study
            for number, position in enumerate(within):
                trial = self._seat_score(Seat(index, number)).scored_trial
                if trial is not None:
                    position[:] = self.encoding.position_of(trial.params, position)
        return within

    def add(self, trial: FrozenTrial, seat: Seat) -> None:
        """Count in a finished trial of a seat; call `advance` after the last of several."""
        if seat.number < self.settings.population_size and self._seat_score(seat).add(trial):
            del self.generations[seat.generation + 1 :]  # drawn by another score, if at all

    def advance(self) -> None:
        """Draw the next generation if the last one is complete."""
        while not self.generations or self.generations[-1].complete:
            self.generations.append(self.new_generation(len(self.generations)))

    def open_seats(self) -> list[Seat]:
        """Return the seats of the last generation that are not scored."""
        last = self.generations[-1]
        scores = enumerate(last.seat_scores)
        return [Seat(last.index, number) for number, score in scores if not score.scored]

    def is_scored(self, seat: Seat) -> bool:
        """Return True if a seat needs no further trial."""
        return seat in self._seat_scores and self._seat_scores[seat].scored

    def counted(self, seat: Seat) -> FrozenTrial | None:
        """Return the trial whose score is the seat's; None without a complete or pruned one."""
        return self._seat_scores[seat].counted if seat in self._seat_scores else None

    def proposal(self, seat: Seat) -> Proposal | None:
        """Return the architecture to score at a seat; None if its generation is not drawn yet."""
        size = self.settings.population_size
        if seat.generation >= len(self.generations) or seat.number >= size:
            return None
        generation = self.generations[seat.generation]
        return Proposal(generation.encoding, generation.positions[seat.number])

    def draw(self, seat: Seat, name: str, distribution: BaseDistribution) -> Any:
        """Draw a parameter uniformly, by seed, seat and name alone."""
        low, high = interval(distribution)
        share = uniform(self.settings.seed, seat.generation, seat.number, name)
        return decode(distribution, low + share * (high - low))

    def _seat_score(self, seat: Seat) -> SeatScore:
        return self._seat_scores.setdefault(seat, SeatScore())
