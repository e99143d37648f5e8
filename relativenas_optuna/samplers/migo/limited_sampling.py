"""Fair sampling within the limits of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.samplers.limits.choices import LimitedChoices
from relativenas_optuna.samplers.migo.fair_sampling import draw_sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.limits.within import WithinLimits
    from relativenas_optuna.samplers.migo.categories import CategorySpace

    Vector = NDArray[np.float64]
    Indices = NDArray[np.intp]

_ATTEMPTS = 100  # draws of a sample until a limit that is a function is kept
_DIGITS = 1e6  # of the logarithm of a probability


class LimitedSampling:
    """Samples of a distribution given that the limits of a search are kept.

    Fair sampling under a limit is defined as follows. For each category, count how often the sweep
    has used it more than the least-used category of its variable. A sample is drawn among the
    architectures within the limits for which the sum of these counts over the variables that the
    limits count is the smallest, in proportion to the product of their weights. Variables that no
    limit counts are sampled fairly on their own. Uses before the sweep do not count, unlike in fair
    sampling without a limit: under a limit some categories lag behind for ever.

    With one additive limit this is exact up to the grid of `CostGrid`; see `LimitedDraws` for
    several. A sample above a limit that is a function is drawn again, up to 100 times.

    Args:
        limited: The positions within the limits.
        space: Categories of the variables.
        fixed: Parameters that have one value only.
    """

    def __init__(
        self, limited: WithinLimits, space: CategorySpace, fixed: Mapping[str, Any]
    ) -> None:
        self._limited, self._space = limited, space
        values = {
            name: categories.labels if space.is_exact(name) else None
            for name, categories in space.variables.items()
        }
        self._choices = LimitedChoices(limited.limits, values, fixed)

    def positions(
        self, weights: Vector, size: int, random: np.random.Generator, *, fair: bool
    ) -> Vector:
        """Return the positions of all samples of one sweep, `[size, variables]`.

        Args:
            weights: Weight of each category, `[variables, most]`; see `fair_sampling.draw_sweep`.
            size: Number of samples.
            random: Random generator of the sweep.
            fair: False to draw each sample by the weights alone.
        """
        variables, uses = np.arange(len(weights)), np.zeros(weights.shape, dtype=np.intp)
        sweep = np.empty((size, len(weights)))
        for row in sweep:
            sample, row[:] = self._draw(weights, uses, random)
            if fair:
                uses[variables, sample] += 1
        return sweep

    def is_possible(self, alive: NDArray[np.bool_]) -> bool:
        """Return True if an architecture of some categories keeps the additive limits.

        Args:
            alive: True for these categories, `[variables, most]`.
        """
        return self._choices.is_possible(self._rows(alive.astype(np.float64)))

    def most_likely(self, theta: Vector) -> Vector:
        """Return the position `[variables]` of the most likely categories within the limits.

        It is in the middle of a bin. With several limits it is the most likely one under the
        tightest limit, or the nearest to it that keeps them all.

        Args:
            theta: Probabilities `[variables, most]`.
        """
        best = theta.argmax(axis=1)
        # The smallest sum of negative logarithms is the largest product.
        logarithms = -np.log(np.maximum(theta, np.finfo(np.float64).tiny))
        uses = np.rint(_DIGITS * (logarithms - logarithms.min(axis=1, keepdims=True)))
        rows = self._rows((theta > 0).astype(np.float64))
        draws = self._choices.draws(rows, self._rows(uses.astype(np.int64)))
        for variable, category in draws.nearest_draw(np.random.default_rng(0)).items():
            best[variable] = category
        position = self._space.positions(best[None], np.full((1, len(best)), 0.5))[0]
        return self._limited.nearest(position)

    def _draw(
        self, weights: Vector, uses: Indices, random: np.random.Generator
    ) -> tuple[Indices, Vector]:
        """Return the categories and the position of a sample, `[variables]` each."""
        excess = uses - np.where(weights > 0, uses, uses.max()).min(axis=1, keepdims=True)
        draws = self._choices.draws(self._rows(weights), self._rows(excess.astype(np.int64)))
        for _ in range(_ATTEMPTS):
            sample = draw_sample(weights, uses, random)
            for variable, category in draws.draw(random).items():
                sample[variable] = category
            position = self._space.positions(sample[None], random.random((1, len(sample))))[0]
            if self._limited.keep(position):
                break
        return sample, position

    def _rows(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the rows of `[variables, most]` without the categories that are only padding."""
        return [row[:count] for row, count in zip(array, self._space.counts, strict=True)]
