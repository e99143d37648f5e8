"""RelativeNAS written down a second time, straight from its description: the oracle.

A loop over generations in memory, all pairs at once, with its own decoding. It shares no code with
the package.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def bounds(distribution: Any) -> tuple[float, float]:
    """The interval of one variable."""
    if isinstance(distribution, CategoricalDistribution):
        return 0.0, float(len(distribution.choices))
    if isinstance(distribution, FloatDistribution):
        if distribution.log:
            return math.log(distribution.low), math.log(distribution.high)
        if distribution.step is None:
            return distribution.low, distribution.high
    elif distribution.log:
        return math.log(distribution.low - 0.5), math.log(distribution.high + 0.5)
    return 0.0, round((distribution.high - distribution.low) / distribution.step) + 1.0


def value(distribution: Any, x: float) -> Any:
    """What a variable decodes to."""
    if not isinstance(distribution, CategoricalDistribution):
        if distribution.log:
            y = math.exp(x)
            y = round(y) if not isinstance(distribution, FloatDistribution) else y
            return min(max(y, distribution.low), distribution.high)
        if distribution.step is None:
            return x
    index = max(math.ceil(x) - 1, 0)
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[index]
    return min(distribution.low + index * distribution.step, distribution.high)


def search(
    space: dict[str, BaseDistribution],
    loss: Callable[[dict[str, Any]], float],
    *,
    population_size: int,
    generations: int,
    seed: int,
    maximize: bool = False,
) -> tuple[list[Vector], list[Vector], list[list[dict[str, Any]]]]:
    """Positions and velocities before each generation and after the last; what was scored.

    Returns:
        Positions and velocities, `generations + 1` times `[N, variables]`, and for each generation
        the parameters in scoring order.
    """
    n, d = population_size, len(space)
    low = np.array([bounds(distribution)[0] for distribution in space.values()])
    high = np.array([bounds(distribution)[1] for distribution in space.values()])
    stream = np.random.RandomState(seed)
    x = low + stream.rand(n, d) * (high - low)
    v = np.zeros((n, d))
    positions, velocities, scored = [x], [v], []
    for _ in range(generations):
        pairs = stream.permutation(n).reshape(n // 2, 2)
        l1, l2 = stream.rand(n // 2, d), stream.rand(n // 2, d)
        params = [
            {name: value(space[name], float(x[m, i])) for i, name in enumerate(space)}
            for m in range(n)
        ]
        losses = np.array([loss(p) for p in params]) * (-1 if maximize else 1)
        scored.append([params[member] for member in pairs.ravel()])
        second_wins = losses[pairs[:, 1]] < losses[pairs[:, 0]]
        fast = np.where(second_wins, pairs[:, 1], pairs[:, 0])
        slow = np.where(second_wins, pairs[:, 0], pairs[:, 1])
        x, v = x.copy(), v.copy()
        v[slow] = l1 * v[slow] + l2 * (x[fast] - x[slow])
        x[slow] = np.minimum(np.maximum(x[slow] + v[slow], low), high)
        positions.append(x)
        velocities.append(v)
    return positions, velocities, scored
