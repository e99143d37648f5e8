"""One generation of a RelativeNAS search: members, pairs and seats."""

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
class PairedGeneration:
    """One generation of N members, as far as it is known.

    Attributes:
        index: Number of the generation, from 0.
        pairs: Numbers of the members of each pair, `[N / 2, 2]`.
        seat_scores: The score of each seat. A fast learner that keeps its score has the score of
            its earlier seat.
        encoding: Encoding of the positions; None while the search space is not known.
        first_encoding: Encoding with which the members moved here, before later trials showed
            further parameters.
        positions: Proposed positions, `[N, variables]`; the scored ones for a pair that has
            learned.
        proposed: Positions of the members as they moved here, `[N, variables]`, also if other
            parameters were scored since; used with `Screening.models_pending`.
        velocities: Velocities of the members, `[N, variables]`.
        ready: `[N]`, True if a member's position is known.
        kept: `[N]`, True if a member keeps its score of the generation before.
        reevaluated: `[N]`, True if a member keeps its position and is scored again.
        learned: `[N / 2]`, True if a pair's members have moved to the next generation.
        first_fast: `[N / 2]`, True if the first member of a pair that has learned is fast.
        origins: For each member, the seat by which its independent values are drawn. With a
            learned search space, a fast learner keeps that of its earlier seat.
        dropped: For each member, proposed values of parameters that left the encoding, because a
            trial suggested them with another distribution.
        digest: Digest of all scores up to this generation, once all of its pairs have learned.
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
        """Return the number of the member that a seat scores."""
        return int(self.pairs[seat // 2, seat % 2])

    def seat(self, member: int) -> int:
        """Return the number of the seat that scores a member."""
        return int(self._seats[member])

    def learners(self, pair: int) -> tuple[int, int]:
        """Return the fast and the slow learner of a pair that has learned, as members."""
        first, second = self.pairs[pair].tolist()
        return (first, second) if self.first_fast[pair] else (second, first)

    def pair_scores(self, pair: int) -> list[SeatScore]:
        """Return the scores of both seats of a pair."""
        return self.seat_scores[2 * pair : 2 * pair + 2]

    @property
    def complete(self) -> bool:
        """True if every seat is scored."""
        return all(seat_score.scored for seat_score in self.seat_scores)

    def digest_after(
        self, before: PairedGeneration | None, seat_scores: Sequence[SeatScore]
    ) -> str:
        """Return a digest of some scores and of all scores up to the generation `before`."""
        texts = [before.digest if before else "", *[score.text for score in seat_scores]]
        return hashlib.blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()

    def scored_params(self, member: int) -> Mapping[str, Any]:
        """Return the parameters that a scored member was scored with."""
        trial = self.seat_scores[self.seat(member)].scored_trial
        return {} if trial is None else trial.params
