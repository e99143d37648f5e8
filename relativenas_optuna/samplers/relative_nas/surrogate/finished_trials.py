"""Positions and losses of a study's finished trials, from any sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.samplers.intervals import is_value_of
from relativenas_optuna.samplers.relative_nas.dominance import loss_of
from relativenas_optuna.samplers.relative_nas.visited import VisitedArchitectures, propose_unvisited
from relativenas_optuna.storages.interruption import was_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding

    Vector = NDArray[np.float64]


class FinishedTrials:
    """The finished trials of a study as positions and losses in one encoding.

    Args:
        encoding: Encoding of the positions.
        trials: List of the finished trials, which may grow.

    Attributes:
        encoding: Encoding of the positions.
        trials: The list of the finished trials.
        positions: Positions `[variables]` of the trials that share a variable with the encoding.
        losses: Losses of the same trials, see `loss_of`; 0 with several objectives.
    """

    def __init__(self, encoding: Encoding, trials: list[FrozenTrial]) -> None:
        self.encoding = encoding
        self.trials = trials
        self.positions: list[Vector] = []
        self.losses: list[float] = []
        self._visited = VisitedArchitectures(encoding)
        self._read = 0

    def read(self, directions: Sequence[StudyDirection]) -> None:
        """Add the trials that were appended to the list since the last call."""
        new, self._read = self.trials[self._read :], len(self.trials)
        for trial in new:
            position = position_in(self.encoding, trial)
            if position is None or was_interrupted(trial):
                continue
            self.positions.append(position)
            self.losses.append(loss_of(trial, directions) if len(directions) == 1 else 0.0)
            self._visited.add(trial, self._last, position)

    def is_visited(self, position: Vector) -> bool:
        """Return True if the architecture at a position `[variables]` was scored."""
        return self._visited.is_visited(position, self._last)

    def all_visited(self) -> bool:
        """Return True if every architecture of the space was scored."""
        return self._visited.all_visited(self._last)

    def propose_unvisited(
        self, start: Vector, redraw: Callable[[Vector, Vector], Vector], random: np.random.Generator
    ) -> Vector:
        """Return a position that was not scored, by `visited.propose_unvisited`."""
        return propose_unvisited(
            self.encoding,
            start,
            redraw=redraw,
            visited=self._visited,
            generation=self._last,
            random=random,
        )

    @property
    def _last(self) -> int:
        return len(self.positions) - 1


def position_in(encoding: Encoding, trial: FrozenTrial) -> Vector | None:
    """Return a trial's position `[variables]`, or None if it shares no variable.

    A variable that the trial did not suggest is in the middle of its range.
    """
    values = trial.params
    if not any(
        name in values and is_value_of(d, values[name]) for name, d in encoding.space.items()
    ):
        return None
    return encoding.position_of(values, (encoding.low + encoding.high) / 2)
