"""How a slow learner's move is chosen among several: the settings of preset "plain"."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_MOST = 10_000  # draws, which all are in memory at once


@dataclass(frozen=True)
class Screening:
    """What preset "plain" adds to the paper's rule; `OFF` adds nothing.

    None of it is in the paper.

    Attributes:
        draws: How many times the random matrices are drawn for a slow learner. Of the moves that
            the rule gives, the one is made that `Forecast` expects most of.
        anew: The probability with which such a move draws a variable anew, from 0 to 1. The first
            draw of a move is the rule's alone.
        spread: Whether the members start so that each variable's values are covered evenly
            (a Latin hypercube).
        scores: How many scores of one architecture there are at most: that of the best member is
            told again while it may be luck (`Rescoring`).
        sparse: Whether the model's hyper-parameters are fitted ever less often (`Moves`).
        pending: Whether the model is sure of what a pair's generation is about to score (`Moves`).

    Raises:
        ValueError: A number is out of its range.
    """

    draws: int = 1
    anew: float = 0.0
    spread: bool = False
    scores: int = 1
    sparse: bool = False
    pending: bool = False

    def __post_init__(self) -> None:
        numbers: dict[str, object] = {"draws": self.draws, "scores": self.scores}
        for name, number in numbers.items():  # studies come from elsewhere
            if type(number) is not int or not 1 <= number <= _MOST:
                raise ValueError(f"{name} must be a whole number from 1 to {_MOST}; got {number!r}")
        if not 0 <= self.anew <= 1:
            raise ValueError(f"anew must be from 0 to 1; got {self.anew!r}")

    @property
    def on(self) -> bool:
        """Whether it adds anything to a slow learner's move."""
        return self.draws > 1

    @property
    def rescores(self) -> bool:
        """Whether any architecture is scored more than once."""
        return self.on and self.scores > 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


OFF = Screening()
PLAIN = Screening(draws=100, anew=0.2, spread=True, scores=10, sparse=True, pending=True)
