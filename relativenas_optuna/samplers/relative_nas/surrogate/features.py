"""Features of architectures, by which the Gaussian process compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from relativenas_optuna.samplers.limits.within import fixed_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.surrogate.descriptors import Descriptors

    Vector = NDArray[np.float64]

Blocks: TypeAlias = "tuple[Vector, ...]"
"""Features of n architectures: `[n, features]` by the parameters, and, if there are descriptors,
`[n, descriptors]`."""

_MAX_KNOWN = 20_000  # architectures whose descriptors are kept in memory


class Features:
    """Function from positions to the features that a `GaussianProcess` takes.

    Args:
        encoding: Encoding of the positions.
        descriptors: Descriptors of the architectures; None without any, or if this process was not
            given their function.
        space: Distributions of all parameters, in which the random architectures are drawn that
            give the descriptors their scales; None takes those of the encoding.
    """

    def __init__(
        self,
        encoding: Encoding,
        descriptors: Descriptors | None = None,
        space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        self.encoding = encoding
        given = descriptors is not None and descriptors.function is not None
        self._descriptors = descriptors if given else None
        self._space = encoding.space if space is None else space
        self._fixed = fixed_values(self._space)
        self._scales: tuple[Vector, Vector] | None = None
        self._known: dict[tuple[float, ...], list[float]] = {}  # by `Encoding.indices`

    def __call__(self, positions: Vector) -> Blocks:
        """Return the features of positions `[n, variables]`."""
        own = self.encoding.features(positions)
        if self._descriptors is None:
            return (own,)
        if self._scales is None:
            self._scales = self._descriptors.scales(self._space)
        means, deviations = self._scales
        values = np.array([self._values(self._descriptors, position) for position in positions])
        return own, (values.reshape(len(positions), len(means)) - means) / deviations

    def _values(self, descriptors: Descriptors, position: Vector) -> list[float]:
        """Return the descriptors at a position `[variables]`."""
        key = self.encoding.indices(position)
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = descriptors.values(self._fixed | self.encoding.decode(position))
        return self._known[key]
