"""Where a slow learner moves when several moves are drawn for it: preset "plain"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.draws import move_generator
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import GaussianProcess
from relativenas_optuna.samplers.relative_nas.surrogate.history import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.generation import Generation
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import Hyperparameters
    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

_NEAR = 32  # proposals of its generation that a pair looks at: the nearest to its fast learner


class CandidateMoves:
    """Draws moves by the slow-fast rule and takes the one of which most is to be expected.

    A departure from the paper, which makes the one move that it draws. A pair's move sees its own
    scores, those of the generations before its own, and what its generation was proposed to score
    (of a large one the 32 proposals that are nearest), so that it does not depend on timing.
    """

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._model: tuple[int, GaussianProcess | None] | None = None  # of the scores up to one
        self._hyperparameters: tuple[int, Hyperparameters | None] | None = (
            None  # as fitted for a generation
        )

    def choose(
        self,
        generation: Generation,
        pair: int,
        losses: Vector,
        first: tuple[Vector, Vector],
        is_visited: Callable[[Vector], bool],
    ) -> Vector | None:
        """The move of a pair's slow learner, `[variables]`; `None` where all drawn are taken.

        Args:
            generation: Of the pair.
            pair: Its number.
            losses: Those of the pair, `[2]`.
            first: The random matrices of its first draw, `[variables]` each.
            is_visited: Whether a position cannot be had.
        """
        encoding = generation.encoding
        assert encoding is not None
        drawn = self._drawn(encoding, generation, pair, first)
        model = self._model_before(encoding, generation.index)
        if model is None:
            return next((move for move in drawn if not is_visited(move)), None)
        model = self._conditioned(model, generation, pair, losses)
        order = np.argsort(-model.log_expected_improvement(drawn), kind="stable")
        return next((move for move in drawn[order] if not is_visited(move)), None)

    def _conditioned(
        self, model: GaussianProcess, generation: Generation, pair: int, losses: Vector
    ) -> GaussianProcess:
        """The same, with what is known of the pair's own generation."""
        members, new = generation.pairs[pair], ~generation.kept
        told = new[members]
        pending = generation.proposed[:0]
        if self._settings.screening.models_pending:
            others = np.setdiff1d(np.flatnonzero(new), members)
            fast = members[0 if generation.first_fast[pair] else 1]
            pending = model.nearest(generation.proposed[others], generation.positions[fast], _NEAR)
        if not told.any() and not len(pending):
            return model
        return model.condition_on(generation.positions[members[told]], losses[told], pending)

    def _drawn(
        self, encoding: Encoding, generation: Generation, pair: int, first: tuple[Vector, Vector]
    ) -> Vector:
        """The moves that are drawn, `[draws, variables]`."""
        screening = self._settings.screening
        random = move_generator(self._settings.seed, generation.index, pair)
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
        anew = random.random(shape) < screening.redraw_probability
        anew[0] = False
        return np.where(anew, low + random.random(shape) * (high - low), drawn)

    def _model_before(self, encoding: Encoding, index: int) -> GaussianProcess | None:
        """What the scores say of the generations before `index`; `None` where there are none."""
        if self._model is None or self._model[0] != index:
            self._model = index, self._fitted(encoding, index)
        return self._model[1]

    def _fitted(self, encoding: Encoding, index: int) -> GaussianProcess | None:
        positions, losses = self._history.up_to(index - 1)
        if not np.isfinite(losses).any():
            return None
        fit = _last_fit(index) if self._settings.screening.sparse_fits else index
        if fit == index:
            model = GaussianProcess(encoding.features, positions, losses)
            self._hyperparameters = index, model.hyperparameters
            return model
        if self._hyperparameters is None or self._hyperparameters[0] != fit:
            earlier = self._history.up_to(fit - 1)
            some = np.isfinite(earlier[1]).any()
            self._hyperparameters = (
                fit,
                GaussianProcess(encoding.features, *earlier).hyperparameters if some else None,
            )
        return GaussianProcess(encoding.features, positions, losses, self._hyperparameters[1])


def _last_fit(index: int) -> int:
    """The last generation up to one for which hyper-parameters are fitted: ever fewer of them.

    After 32 generations it is every second one, after 64 every fourth, and so on.
    """
    step = 1 << max(0, index.bit_length() - 5)
    return index // step * step
