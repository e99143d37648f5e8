"""One generation of a search: its members, pairs and seats."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.intervals import equal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.outcomes import Tally

    Vector = NDArray[np.float64]


@dataclass
class Generation:
    """One generation of N members, as far as it is known.

    Attributes:
        index: Its number, from 0.
        pairs: Members of each pair, `[N / 2, 2]`.
        tallies: The trials of each seat; where a fast learner keeps its score, those of the seat
            that it comes from.
        encoding: The variables of its positions; `None` while the search space is not known.
        positions: `[N, variables]`, proposed; of a pair that has learned, as it was really scored.
        proposed: `[N, variables]`, of members that moved here as proposed, whatever was scored
            since; where the settings of the study say `pending`.
        velocities: `[N, variables]`.
        ready: `[N]`, whether a member's position is known.
        kept: `[N]`, whether a member keeps the score of the generation before.
        again: `[N]`, whether a member stays where it is to be scored again.
        learned: `[N / 2]`, whether a pair's learners went on to the next generation.
        first_fast: `[N / 2]`, whether the first of a pair is the fast learner; where it learned.
        digest: Of all scores up to its own, once all of its pairs have learned.
    """

    index: int
    pairs: NDArray[np.intp]
    tallies: list[Tally]
    encoding: Encoding | None
    positions: Vector
    velocities: Vector
    ready: NDArray[np.bool_]
    proposed: Vector = field(init=False)
    kept: NDArray[np.bool_] = field(init=False)
    again: NDArray[np.bool_] = field(init=False)
    learned: NDArray[np.bool_] = field(init=False)
    first_fast: NDArray[np.bool_] = field(init=False)
    digest: str = ""

    def __post_init__(self) -> None:
        self.proposed = self.positions.copy()
        self.kept = np.zeros(self.pairs.size, dtype=np.bool_)
        self.again = np.zeros(self.pairs.size, dtype=np.bool_)
        self.learned = np.zeros(len(self.pairs), dtype=np.bool_)
        self.first_fast = np.zeros(len(self.pairs), dtype=np.bool_)
        self._seats = np.argsort(self.pairs.ravel())

    def member(self, seat: int) -> int:
        """The member that sits on a seat."""
        return int(self.pairs[seat // 2, seat % 2])

    def seat(self, member: int) -> int:
        """The seat that a member sits on."""
        return int(self._seats[member])

    @property
    def complete(self) -> bool:
        """Whether every seat is scored."""
        return all(tally.scored for tally in self.tallies)

    def digest_after(self, before: Generation | None, tallies: Sequence[Tally]) -> str:
        """What tells scores, and those up to the generation `before`, from others."""
        said = [before.digest if before else "", *[tally.said for tally in tallies]]
        return hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest()

    def positions_over(self, encoding: Encoding) -> Vector:
        """Its positions over some of its variables, `[N, variables of encoding]`."""
        assert self.encoding is not None
        names = list(self.encoding.space)
        if names == list(encoding.space):
            return self.positions
        return self.positions[:, [names.index(name) for name in encoding.space]]

    def shares_parameters(self, names: list[str], encoding: Encoding) -> None:
        """Go over to an encoding that has only some of the variables, `names`."""
        kept = [names.index(name) for name in encoding.space]
        self.encoding = encoding
        self.positions = self.positions[:, kept]
        self.proposed = self.proposed[:, kept]
        self.velocities = self.velocities[:, kept]

    def common_parameters(self) -> set[str] | None:
        """Names that its complete trials and its encoding share, with one distribution each.

        `None` where there is neither.
        """
        spaces = [
            tally.counted.distributions
            for tally in self.tallies
            if tally.counted is not None and tally.counted.state == TrialState.COMPLETE
        ]
        if self.encoding is not None:
            spaces.append(dict(self.encoding.space))
        if not spaces:
            return None
        return {
            name
            for name, distribution in spaces[0].items()
            if all(equal(space.get(name), distribution) for space in spaces)
        }
