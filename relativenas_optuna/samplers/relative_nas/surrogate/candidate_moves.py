"""Where a slow learner moves when several moves are drawn for it: preset "plain"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.draws import moves
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import Forecast
from relativenas_optuna.samplers.relative_nas.surrogate.history import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.generation import Generation
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import Shape
    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

_NEAR = 32  # proposals of its generation that a pair looks at: the nearest to its fast learner


class Moves:
    """Draws moves by the slow-fast rule and takes the one of which most is to be expected.

    A departure from the paper, which makes the one move that it draws. A pair's move sees its own
    scores, those of the generations before its own, and what its generation was proposed to score
    (of a large one the 32 proposals that are nearest), so that it does not depend on timing.
    """

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._forecast: tuple[int, Forecast | None] | None = None  # of the scores up to one
        self._shape: tuple[int, Shape | None] | None = None  # as fitted for a generation

    def of_pair(
        self,
        generation: Generation,
        pair: int,
        losses: Vector,
        first: tuple[Vector, Vector],
        is_taken: Callable[[Vector], bool],
    ) -> Vector | None:
        """The move of a pair's slow learner, `[variables]`; `None` where all drawn are taken.

        Args:
            generation: Of the pair.
            pair: Its number.
            losses: Those of the pair, `[2]`.
            first: The random matrices of its first draw, `[variables]` each.
            is_taken: Whether a position cannot be had.
        """
        encoding = generation.encoding
        assert encoding is not None
        drawn = self._drawn(encoding, generation, pair, first)
        forecast = self._forecast_before(encoding, generation.index)
        if forecast is None:
            return next((move for move in drawn if not is_taken(move)), None)
        forecast = self._given(forecast, generation, pair, losses)
        order = np.argsort(-forecast.hopes(drawn), kind="stable")
        return next((move for move in drawn[order] if not is_taken(move)), None)

    def _given(
        self, forecast: Forecast, generation: Generation, pair: int, losses: Vector
    ) -> Forecast:
        """The same, with what is known of the pair's own generation."""
        members, new = generation.pairs[pair], ~generation.kept
        told = new[members]
        pending = generation.proposed[:0]
        if self._settings.screening.pending:
            others = np.setdiff1d(np.flatnonzero(new), members)
            fast = members[0 if generation.first_fast[pair] else 1]
            pending = forecast.nearest(
                generation.proposed[others], generation.positions[fast], _NEAR
            )
        if not told.any() and not len(pending):
            return forecast
        return forecast.given(generation.positions[members[told]], losses[told], pending)

    def _drawn(
        self, encoding: Encoding, generation: Generation, pair: int, first: tuple[Vector, Vector]
    ) -> Vector:
        """The moves that are drawn, `[draws, variables]`."""
        screening = self._settings.screening
        random = moves(self._settings.seed, generation.index, pair)
        shape = screening.draws, len(encoding.space)
        l1, l2 = random.random((2, *shape))
        l1[0], l2[0] = first
        members = generation.pairs[pair]
        fast, slow = members if generation.first_fast[pair] else members[::-1]
        low, high = encoding.low, encoding.high
        drawn, _ = learn(
            generation.positions[slow],
            generation.velocities[slow],
            generation.positions[fast],
            l1=l1,
            l2=l2,
            low=low,
            high=high,
            reflected=encoding.continuous,
        )
        anew = random.random(shape) < screening.anew
        anew[0] = False
        return np.where(anew, low + random.random(shape) * (high - low), drawn)

    def _forecast_before(self, encoding: Encoding, index: int) -> Forecast | None:
        """What the scores say of the generations before `index`; `None` where there are none."""
        if self._forecast is None or self._forecast[0] != index:
            self._forecast = index, self._fitted(encoding, index)
        return self._forecast[1]

    def _fitted(self, encoding: Encoding, index: int) -> Forecast | None:
        positions, losses = self._history.upto(index - 1)
        if not np.isfinite(losses).any():
            return None
        fit = _last_fit(index) if self._settings.screening.sparse else index
        if fit == index:
            forecast = Forecast(encoding.features, positions, losses)
            self._shape = index, forecast.shape
            return forecast
        if self._shape is None or self._shape[0] != fit:
            earlier = self._history.upto(fit - 1)
            some = np.isfinite(earlier[1]).any()
            self._shape = fit, Forecast(encoding.features, *earlier).shape if some else None
        return Forecast(encoding.features, positions, losses, self._shape[1])


def _last_fit(index: int) -> int:
    """The last generation up to one for which hyper-parameters are fitted: ever fewer of them.

    After 32 generations it is every second one, after 64 every fourth, and so on.
    """
    step = 1 << max(0, index.bit_length() - 5)
    return index // step * step
