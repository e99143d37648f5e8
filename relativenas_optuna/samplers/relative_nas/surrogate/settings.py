"""Settings of the parts that preset "plain" adds to the paper's rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_MAX = 10_000  # all draws are in memory at once


@dataclass(frozen=True)
class Screening:
    """Settings for choosing a slow learner's move among several candidates.

    None of it is in the paper. The defaults (`OFF`) follow the paper's rule.

    Attributes:
        draws: Number of candidate moves of a slow learner, 1 to 10,000; the one with the largest
            expected improvement is made. With 1 no model is used.
        redraw_probability: Probability, 0 to 1, that a variable of a candidate is drawn evenly
            from its range instead. The first candidate follows the rule alone.
        latin_hypercube: True if the members start on a Latin hypercube, which covers each
            variable's range evenly. False draws each start independently.
        max_scores: Maximum number of scores of one architecture, 1 to 10,000. The best member is
            re-evaluated up to this number while its lead may be noise; 1 re-evaluates nothing.
        sparse_fits: True if the model's hyperparameters are fitted less often in later generations.
        models_pending: True if the model counts the proposals of a pair's own generation as known.

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
        for name, number in numbers.items():  # a study's attributes may hold any type
            if type(number) is not int or not 1 <= number <= _MAX:
                raise ValueError(f"{name} must be a whole number from 1 to {_MAX}; got {number!r}")
        if not 0 <= self.redraw_probability <= 1:
            raise ValueError(
                f"redraw_probability must be from 0 to 1; got {self.redraw_probability!r}"
            )

    @property
    def on(self) -> bool:
        """True if a slow learner's move is chosen among several candidates."""
        return self.draws > 1

    @property
    def reevaluates(self) -> bool:
        """True if an architecture may be scored more than once."""
        return self.on and self.max_scores > 1

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
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
