"""Preset "plain": draw many moves of a slow learner and choose one by a Gaussian process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.relative_nas.draws import move_generator
from relativenas_optuna.samplers.relative_nas.slow_fast import learn
from relativenas_optuna.samplers.relative_nas.surrogate.features import Features
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import GaussianProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration
    from relativenas_optuna.samplers.relative_nas.settings import Settings
    from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import Hyperparameters
    from relativenas_optuna.samplers.relative_nas.surrogate.history import History

    Vector = NDArray[np.float64]

_MAX_PENDING = 32  # proposals of its generation that a pair counts as known


class CandidateMoves:
    """Choice among several moves of the slow-fast rule by the largest expected improvement.

    The paper draws only one move. So that the choice does not depend on timing, it depends only on
    the pair's own scores, on those of the generations before, and on the proposals of the pair's
    generation (at most the 32 that are nearest to the pair's fast learner).

    Args:
        settings: Settings of the search.
        history: Positions and losses of the search, which grow.
    """

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._features: Features | None = None
        # Each with the generation that it was fitted for.
        self._model: tuple[int, GaussianProcess | None] | None = None
        self._hyperparameters: tuple[int, Hyperparameters | None] | None = None

    def choose(
        self,
        generation: PairedGeneration,
        pair: int,
        losses: Vector,
        first: tuple[Vector, Vector],
        is_visited: Callable[[Vector], bool],
    ) -> Vector | None:
        """Return the next position of a pair's slow learner, `[variables]`.

        Args:
            generation: Generation of the pair.
            pair: Index of the pair.
            losses: Losses of the pair's members, `[2]`.
            first: Random weights l1 and l2 of the first draw, `[variables]` each.
            is_visited: Function that returns True for a position that must not be proposed.

        Returns:
            The position, or None if every drawn one is visited.
        """
        encoding = generation.encoding
        assert encoding is not None
        drawn = self._draw(encoding, generation, pair, first)
        model = self._model_before(encoding, generation.index)
        if model is not None:
            model = self._conditioned(model, generation, pair, losses)
            drawn = drawn[np.argsort(-model.log_expected_improvement(drawn), kind="stable")]
        return next((move for move in drawn if not is_visited(move)), None)

    def _conditioned(
        self, model: GaussianProcess, generation: PairedGeneration, pair: int, losses: Vector
    ) -> GaussianProcess:
        """Return the model conditioned on what is known of the pair's own generation."""
        members, new = generation.pairs[pair], ~generation.kept
        scored = new[members]
        pending = generation.proposed[:0]
        if self._settings.screening.models_pending:
            others = np.setdiff1d(np.flatnonzero(new), members)
            fast, _ = generation.learners(pair)
            pending = model.nearest(
                generation.proposed[others], generation.positions[fast], _MAX_PENDING
            )
        if not scored.any() and not len(pending):
            return model
        return model.condition_on(generation.positions[members[scored]], losses[scored], pending)

    def _draw(
        self,
        encoding: Encoding,
        generation: PairedGeneration,
        pair: int,
        first: tuple[Vector, Vector],
    ) -> Vector:
        """Draw candidate positions of a pair's slow learner, `[draws, variables]`."""
        screening = self._settings.screening
        random = move_generator(self._settings.seed, generation.index, pair)
        shape = screening.draws, len(encoding.space)
        l1, l2 = random.random((2, *shape))
        l1[0], l2[0] = first
        fast, slow = generation.learners(pair)
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
        redrawn = random.random(shape) < screening.redraw_probability
        redrawn[0] = False
        return np.where(redrawn, low + random.random(shape) * (high - low), drawn)

    def _model_before(self, encoding: Encoding, index: int) -> GaussianProcess | None:
        """Return the model of the generations before `index`; None if none has a finite loss."""
        if self._model is None or self._model[0] != index:
            self._model = index, self._fitted(encoding, index)
        return self._model[1]

    def _fitted(self, encoding: Encoding, index: int) -> GaussianProcess | None:
        positions, losses = self._history.up_to(index - 1)
        if not np.isfinite(losses).any():
            return None
        fit = _last_fit(index) if self._settings.screening.sparse_fits else index
        if fit == index:
            model = GaussianProcess(self._features_of(encoding), positions, losses)
            self._hyperparameters = index, model.hyperparameters
            return model
        if self._hyperparameters is None or self._hyperparameters[0] != fit:
            earlier = self._fitted(encoding, fit)
            self._hyperparameters = fit, None if earlier is None else earlier.hyperparameters
        features = self._features_of(encoding)
        return GaussianProcess(features, positions, losses, self._hyperparameters[1])

    def _features_of(self, encoding: Encoding) -> Features:
        if self._features is None or self._features.encoding is not encoding:
            self._features = self._settings.features(encoding)
        return self._features


def _last_fit(index: int) -> int:
    """Return the last generation up to `index` for which hyperparameters are fitted.

    They are fitted for every generation below 32, then for every second one below 64, then for
    every fourth below 128, and so on.
    """
    step = 1 << max(0, index.bit_length() - 5)
    return index // step * step
