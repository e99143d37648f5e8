"""RelativeNAS written down a second time, straight from its description: the oracle.

A loop over generations in memory, all pairs at once, with its own decoding. It shares no code with
the package.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def bounds(distribution: Any) -> tuple[float, float]:
    """Return the interval of one variable."""
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
    """Return the value that a variable decodes to."""
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
    """Return positions and velocities before each generation and after the last, and scores.

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


@dataclass(eq=False)
class Member:
    """A scored member; two members are never equal."""

    params: dict[str, Any]
    values: tuple[float, ...]
    violation: float = 0.0


@dataclass
class Searched:
    """The result of a synchronous search by generation.

    Attributes:
        positions: Before each generation and after the last, `[N, variables]`.
        velocities: The same.
        kept: `[N]` for each generation: who keeps the score of the one before.
        scored: The scored members of each generation, in seat order.
        moved: Generation and member of each proposal that is not the learning rule's.
    """

    positions: list[Vector]
    velocities: list[Vector]
    kept: list[NDArray[np.bool_]]
    scored: list[list[dict[str, Any]]]
    moved: list[tuple[int, int]]


def synchronous(
    space: dict[str, BaseDistribution],
    score: Callable[[dict[str, Any]], Member],
    first_is_fast: Callable[[Member, Member, list[Member]], bool],
    *,
    population_size: int,
    generations: int,
    seed: int,
    real: Callable[[int, int], Vector],
    described: bool = True,
    keeps: bool = True,
) -> Searched:
    """Preset "plain", with all scores of a generation at hand before any pair learns.

    Args:
        space: Single-valued parameters included.
        score: Scores one architecture.
        first_is_fast: Returns True if the first of a pair is fast, given the generation before.
        population_size: N.
        generations: Number of generations to score.
        seed: Seed of the random stream.
        real: Returns the proposal of the study under test for a member of a generation. Used only
            where the proposal of the learning rule is not allowed.
        described: Returns True if an architecture has the parameters of the space and no other
            parameters.
        keeps: True if fast learners keep their scores and nothing is proposed twice; False for
            preset "paper".
    """
    single = {name: d for name, d in space.items() if d.single()}
    varying = {name: d for name, d in space.items() if name not in single}
    n, d = population_size, len(varying)
    ends = [bounds(distribution) for distribution in varying.values()]
    low, high = np.array([end[0] for end in ends]), np.array([end[1] for end in ends])
    stream = np.random.RandomState(seed)
    x, v = low + stream.rand(n, d) * (high - low), np.zeros((n, d))
    found = Searched([x], [v], [], [], [])
    kept: dict[int, Member] = {}
    last: list[Member] = []  # the generation before
    history: list[set[tuple[Any, ...]]] = []  # architectures that each generation scored
    for g in range(generations):
        pairs = stream.permutation(n).reshape(n // 2, 2)
        l1, l2 = stream.rand(n // 2, d), stream.rand(n // 2, d)
        found.kept.append(np.array([member in kept for member in range(n)]))
        found.scored.append([])
        members = dict(kept)
        for member in pairs.ravel().tolist():
            if member not in kept:
                params = decoded(varying, x[member]) | {
                    name: value(distribution, bounds(distribution)[0])
                    for name, distribution in single.items()
                }
                members[member] = score(params)
                found.scored[-1].append(params)
        rule = keeps and described and size_of(varying) < math.inf
        taken: set[tuple[Any, ...]] = set().union(*history) if rule else set()
        exhausted = len(taken) >= size_of(varying)
        history.append({tuple(m.params[name] for name in varying) for m in members.values()})
        kept, x, v = {}, x.copy(), v.copy()
        for pair, (first, second) in enumerate(pairs.tolist()):
            wins = first_is_fast(members[first], members[second], last)
            fast, slow = (first, second) if wins else (second, first)
            if keeps:
                kept[fast] = members[fast]
            v[slow] = l1[pair] * v[slow] + l2[pair] * (x[fast] - x[slow])
            x[slow] = np.minimum(np.maximum(x[slow] + v[slow], low), high)
            if not exhausted and tuple(decoded(varying, x[slow]).values()) in taken:
                x[slow] = real(g + 1, slow)
                assert tuple(decoded(varying, x[slow]).values()) not in taken
                assert ((x[slow] >= low) & (x[slow] <= high)).all()
                found.moved.append((g + 1, slow))
        last = list(members.values())
        found.positions.append(x)
        found.velocities.append(v)
    return found


def decoded(space: dict[str, BaseDistribution], x: Vector) -> dict[str, Any]:
    """Return the parameters of a position."""
    return {name: value(space[name], float(x[i])) for i, name in enumerate(space)}


def size_of(space: dict[str, BaseDistribution]) -> float:
    """Return the number of architectures."""
    size = 1.0
    distributions: list[Any] = list(space.values())
    for distribution in distributions:
        if isinstance(distribution, CategoricalDistribution):
            size *= len(distribution.choices)
        elif distribution.step is None and distribution.low < distribution.high:
            return math.inf
        elif distribution.step is not None:
            size *= round((distribution.high - distribution.low) / distribution.step) + 1
    return size
