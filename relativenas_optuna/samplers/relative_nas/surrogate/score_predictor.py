"""Predict the scores of any architectures from those of some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.relative_nas.surrogate.descriptors import Descriptors
from relativenas_optuna.samplers.relative_nas.surrogate.features import Features
from relativenas_optuna.samplers.relative_nas.surrogate.gaussian_process import (
    SHARES,
    GaussianProcess,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.spaces.descriptors import DescriptorFunction

    Vector = NDArray[np.float64]


_SHARES = (*SHARES[1:], 1.0)


class ScorePredictor:
    """A model of the scores of a search space, fitted to some architectures.

    It is the Gaussian process of preset "plain", outside of a search and for fewer scores. Few
    scores tell little about single choices, so descriptors have at least 30 % of the variance, and
    at most all of it. Equal arguments give equal predictions in every process.

    Args:
        space: Names and distributions of all parameters.
        params: Parameters of the scored architectures, at least one. An architecture may come
            several times. If there are more than 128, the 64 best and the latest 64 others count.
        losses: Their losses, `[scored]`, lower is better; infinite for a failed one. Only their
            order counts.
        descriptors: Function from parameters to descriptors, see `spaces.space_descriptors`.

    Raises:
        SettingsError: The descriptors are not finite numbers by name.

    Example:
        >>> from relativenas_optuna.spaces import NASBench201, space_descriptors
        >>> space = NASBench201()
        >>> known = [space.params(space.random(np.random.default_rng(i))) for i in range(9)]
        >>> losses = [-list(params.values()).count("nor_conv_3x3") for params in known]
        >>> predictor = ScorePredictor(space.distributions, known, losses, space_descriptors(space))
        >>> means, deviations = predictor.predict([dict.fromkeys(known[0], "nor_conv_3x3")])
        >>> bool(means[0] < 0)
        True
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        params: Sequence[Mapping[str, Any]],
        losses: Sequence[float],
        descriptors: DescriptorFunction | None = None,
    ) -> None:
        self._encoding = Encoding.of(space)
        given = None if descriptors is None else Descriptors.of(descriptors, space)
        self._process = GaussianProcess(
            Features(self._encoding, given, space),
            self._positions(params),
            np.array(losses, dtype=np.float64),
            shares=_SHARES,
        )

    def predict(self, params: Sequence[Mapping[str, Any]]) -> tuple[Vector, Vector]:
        """Return the predicted losses of architectures.

        Args:
            params: Parameters of n architectures.

        Returns:
            Means and standard deviations, both `[n]`, in normal scores of the fitted losses: lower
            is better, and 0 is typical.
        """
        return self._process.predict(self._positions(params))

    def _positions(self, params: Sequence[Mapping[str, Any]]) -> Vector:
        middle = (self._encoding.low + self._encoding.high) / 2
        rows = [self._encoding.position_of(one, middle) for one in params]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(middle))
