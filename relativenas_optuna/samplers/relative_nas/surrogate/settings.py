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
            the rule gives, the one is made that `GaussianProcess` expects most of.
        redraw_probability: Probability, 0 to 1, that a variable of a move is drawn evenly from its
            range instead. The first draw of a pair follows the rule alone.
        latin_hypercube: True if the members start on a Latin hypercube, which covers each
            variable's range evenly. False draws each start independently.
        max_scores: Maximum number of scores of one architecture. The best member is re-evaluated
            up to this number while its lead may be noise (`Reevaluation`); 1 re-evaluates nothing.
        sparse_fits: True if the hyperparameters are fitted less often in later generations
            (`CandidateMoves`).
        models_pending: True if the model counts the proposals of a pair's own generation as known
            (`CandidateMoves`).

    Raises:
        ValueError: A number is out of its range.
    """

    draws: int = 1
    redraw_probability: float = 0.0
    latin_hypercube: bool = False
    max_scores: int = 1
    sparse_fits: bool = False
    models_pending: bool = False

    def __post_init__(self) -> None:
        numbers: dict[str, object] = {"draws": self.draws, "max_scores": self.max_scores}
        for name, number in numbers.items():  # studies come from elsewhere
            if type(number) is not int or not 1 <= number <= _MOST:
                raise ValueError(f"{name} must be a whole number from 1 to {_MOST}; got {number!r}")
        if not 0 <= self.redraw_probability <= 1:
            raise ValueError(
                f"redraw_probability must be from 0 to 1; got {self.redraw_probability!r}"
            )

    @property
    def on(self) -> bool:
        """Whether it adds anything to a slow learner's move."""
        return self.draws > 1

    @property
    def reevaluates(self) -> bool:
        """Whether any architecture is scored more than once."""
        return self.on and self.max_scores > 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


OFF = Screening()
PLAIN = Screening(
    draws=100,
    redraw_probability=0.2,
    latin_hypercube=True,
    max_scores=10,
    sparse_fits=True,
    models_pending=True,
)
