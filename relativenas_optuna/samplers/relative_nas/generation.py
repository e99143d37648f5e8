"""One generation of a search: its members, pairs and seats."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.seats.claims import Seat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.seats.seat_score import SeatScore

    Vector = NDArray[np.float64]


@dataclass
class Generation:
    """One generation of N members, as far as it is known.

    Attributes:
        index: Its number, from 0.
        pairs: Members of each pair, `[N / 2, 2]`.
        seat_scores: The score of each seat. A fast learner that keeps its score has that of the
            seat that it comes from.
        encoding: The variables of its positions; `None` while the search space is not known.
        first_encoding: The encoding with which its members moved here, before later trials showed
            further parameters.
        positions: `[N, variables]`, proposed; of a pair that has learned, as it was really scored.
        proposed: `[N, variables]`, of members that moved here as proposed, whatever was scored
            since; where the settings of the study say `pending`.
        velocities: `[N, variables]`.
        ready: `[N]`, whether a member's position is known.
        kept: `[N]`, whether a member keeps the score of the generation before.
        reevaluated: `[N]`, whether a member stays where it is to be scored again.
        learned: `[N / 2]`, whether a pair's learners went on to the next generation.
        first_fast: `[N / 2]`, whether the first of a pair is the fast learner; where it learned.
        origins: For each member the seat by which its independent values are drawn: its own, or
            the seat of the fast learner that stays here, if the search space is learned.
        dropped: For each member its proposed values of parameters that its encoding had before they
            came with another distribution.
        digest: Of all scores up to its own, once all of its pairs have learned.
    """

    index: int
    pairs: NDArray[np.intp]
    seat_scores: list[SeatScore]
    encoding: Encoding | None
    positions: Vector
    velocities: Vector
    ready: NDArray[np.bool_]
    proposed: Vector = field(init=False)
    kept: NDArray[np.bool_] = field(init=False)
    reevaluated: NDArray[np.bool_] = field(init=False)
    learned: NDArray[np.bool_] = field(init=False)
    first_fast: NDArray[np.bool_] = field(init=False)
    first_encoding: Encoding | None = field(init=False)
    origins: list[Seat] = field(init=False)
    dropped: list[dict[str, Any]] = field(init=False)
    digest: str = ""

    def __post_init__(self) -> None:
        self.proposed = self.positions.copy()
        self.kept = np.zeros(self.pairs.size, dtype=np.bool_)
        self.reevaluated = np.zeros(self.pairs.size, dtype=np.bool_)
        self.learned = np.zeros(len(self.pairs), dtype=np.bool_)
        self.first_fast = np.zeros(len(self.pairs), dtype=np.bool_)
        self._seats = np.argsort(self.pairs.ravel())
        self.first_encoding = self.encoding
        self.origins = [Seat(self.index, seat) for seat in self._seats.tolist()]
        self.dropped = [{} for _ in self.origins]

    def member(self, seat: int) -> int:
        """The member that sits on a seat."""
        return int(self.pairs[seat // 2, seat % 2])

    def seat(self, member: int) -> int:
        """The seat that a member sits on."""
        return int(self._seats[member])

    @property
    def complete(self) -> bool:
        """Whether every seat is scored."""
        return all(seat_score.scored for seat_score in self.seat_scores)

    def digest_after(self, before: Generation | None, seat_scores: Sequence[SeatScore]) -> str:
        """What tells scores, and those up to the generation `before`, from others."""
        said = [before.digest if before else "", *[seat_score.said for seat_score in seat_scores]]
        return hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest()

    def scored_params(self, member: int) -> Mapping[str, Any]:
        """Return the parameters that a scored member was scored with."""
        trial = self.seat_scores[self.seat(member)].scored_trial
        return {} if trial is None else trial.params
