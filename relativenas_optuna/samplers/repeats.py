"""Architectures that were scored before, and how a pair gets around them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.samplers.intervals import cell, index

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding

    Vector = NDArray[np.float64]

_REDRAWS = 8  # of the two random weights, before variables are drawn anew
_CHANGES = 8  # attempts with one variable drawn anew, then as many with two, ...


class Scored:
    """The generation in which each architecture of a finite space was scored first."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._first: dict[tuple[int, ...], int] = {}

    def add(self, trial: FrozenTrial, generation: int, position: Vector | None = None) -> None:
        """Count in what a trial scored; generations come in order.

        A trial that has parameters beside those of the space is an architecture of its own, which
        the space does not describe. One that has not all of them scored its `position`
        `[variables]`, where that is known.
        """
        space = self._encoding.space
        more = trial.distributions.keys() - space.keys()
        if not all(trial.distributions[name].single() for name in more):
            return
        if position is not None:
            self._first.setdefault(self._encoding.indices(position), generation)
        elif space.keys() <= trial.params.keys():
            # What is no value of the space any more cannot be proposed either.
            with suppress(ValueError):
                self._first.setdefault(self._encoding.indices_of(trial.params), generation)

    def is_taken(self, vector: Vector, generation: int) -> bool:
        """Whether a position's architecture was scored in a generation up to this one."""
        return self._first.get(self._encoding.indices(vector), generation + 1) <= generation

    def all_taken(self, generation: int) -> bool:
        """Whether no architecture of the space is left that was not scored up to a generation."""
        size = self._encoding.size
        if len(self._first) < size:
            return False
        return sum(first <= generation for first in self._first.values()) >= size


def around(
    encoding: Encoding,
    start: Vector,
    *,
    redraw: Callable[[Vector, Vector], Vector],
    is_taken: Callable[[Vector], bool],
    random: np.random.Generator,
) -> Vector:
    """A position whose architecture is not taken, of which there must be one.

    First the slow learner's random weights are drawn anew; then, from `start`, more and more
    variables; at last the architectures are counted through from there.

    Args:
        encoding: Of a finite search space.
        start: `[variables]`, the position that is taken.
        redraw: The position that the learning rule gives for two random weights `[variables]`.
        is_taken: Whether a position cannot be had.
        random: The draws.
    """
    counts = encoding.counts
    assert counts is not None
    for _ in range(_REDRAWS):
        position = redraw(random.random(len(start)), random.random(len(start)))
        if not is_taken(position):
            return position
    for attempt in range(_CHANGES * len(start)):
        position = start.copy()
        changed = random.permutation(len(start))[: 1 + attempt // _CHANGES]
        width = encoding.high[changed] - encoding.low[changed]
        position[changed] = encoding.low[changed] + random.random(len(changed)) * width
        if not is_taken(position):
            return position
    return _next_free(encoding, counts, position, is_taken, random)


def _next_free(
    encoding: Encoding,
    counts: list[int],
    position: Vector,
    is_taken: Callable[[Vector], bool],
    random: np.random.Generator,
) -> Vector:
    position = position.copy()
    distributions = list(encoding.space.values())
    indices = [index(d, float(x)) for d, x in zip(distributions, position, strict=True)]
    while is_taken(position):
        for i, distribution in enumerate(distributions):  # adds one, and carries
            indices[i] = (indices[i] + 1) % counts[i]
            low, high = cell(distribution, indices[i])
            position[i] = low + (0.25 + random.random() / 2) * (high - low)  # off the cell's ends
            if indices[i]:
                break
    return position
