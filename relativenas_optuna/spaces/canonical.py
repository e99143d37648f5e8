"""Architectures that compute the same, and their common representative."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from relativenas_optuna.spaces.protocol import A, Space

_A = TypeVar("_A", bound=Hashable)
_MOST_DRAWS = 1_000  # a limit may leave no representative that `draw` can return


@runtime_checkable
class Canonical(Protocol[_A]):
    """A space that knows which of its architectures compute the same.

    The method is optional for a `Space`; see `canonical_draw`.
    """

    def canonical(self, genotype: _A, /) -> _A | None:
        """Return the representative of all architectures that compute the same as this one.

        Two architectures compute the same if each has the outputs of the other for suitable
        weights. The representative is one of them, the same for all of them and for itself.

        Returns:
            The representative; None if the output of the architecture does not depend on its
            input.
        """


def canonical(space: Space[A], genotype: A) -> A | None:
    """Return the representative of an architecture, see `Canonical.canonical`.

    In a space without this method every architecture represents itself.
    """
    if isinstance(space, Canonical):
        found: A | None = space.canonical(genotype)
        return found
    return genotype


def canonical_draw(
    space: Space[A], draw: Callable[[np.random.Generator], A], rng: np.random.Generator
) -> A:
    """Draw architectures until one represents itself.

    So architectures that compute the same count once, and architectures whose output does not
    depend on their input are not returned. After 1,000 draws the last one is returned.

    Args:
        space: Search space.
        draw: Function that draws an architecture of the space.
        rng: Random generator that `draw` is called with.
    """
    genotype = draw(rng)
    for _ in range(_MOST_DRAWS - 1):
        if canonical(space, genotype) == genotype:
            break
        genotype = draw(rng)
    return genotype
