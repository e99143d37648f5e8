"""The random numbers of a search, which never depend on a score."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from relativenas_optuna.samplers.seats.keyed_random import keyed_generator, name_key, uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Pairs = NDArray[np.intp]

# The purposes of keyed streams; 2 is that of `uniform`.
_PAIRS, _MATRICES, _, _REDRAWS, _MOVES, _LATIN_HYPERCUBE, _EXTRA_TRIALS = range(7)


def redraw_generator(seed: int, generation: int, pair: int) -> np.random.Generator:
    """Return the generator for a pair whose first draw gave a visited architecture."""
    return keyed_generator(seed, _REDRAWS, generation, pair)


def move_generator(seed: int, generation: int, pair: int) -> np.random.Generator:
    """Return the generator of the candidate moves of a pair's slow learner."""
    return keyed_generator(seed, _MOVES, generation, pair)


def extra_trial_generator(seed: int, number: int) -> np.random.Generator:
    """Return the generator of extra trial `number`."""
    return keyed_generator(seed, _EXTRA_TRIALS, number)


def extra_trial_uniform(seed: int, number: int, name: str) -> float:
    """Return the number in [0, 1) for a parameter of extra trial `number`."""
    return float(keyed_generator(seed, _EXTRA_TRIALS, number, name_key(name)).random())


@lru_cache(maxsize=256)
def latin_hypercube(seed: int, generation: int, name: str, size: int) -> Vector:
    """Return numbers in [0, 1) for a parameter of all seats of a generation, `[size]`.

    Each number lies in a different one of `size` equal parts of the interval (McKay et al. 1979).
    The array is read-only.
    """
    random = keyed_generator(seed, _LATIN_HYPERCUBE, generation, name_key(name))
    drawn: Vector = (random.permutation(size) + random.random(size)) / size
    drawn.flags.writeable = False
    return drawn


class Draws(Protocol):
    """The random numbers of generations of N members; equal arguments give equal numbers."""

    def pairs(self, generation: int) -> Pairs:
        """Return the members of each pair, `[N / 2, 2]`; pair k has the seats 2k and 2k + 1."""

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """Return the members' initial positions in [0, 1), `[N, len(names)]`."""

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """Return the random matrices l1 and l2 in [0, 1), each `[N / 2, len(names)]`."""


class PaperDraws:
    """The random stream of the paper's published code: NumPy's RandomState, seeded once.

    It draws `rand(N, D)` for the initial positions, and then for every generation `permutation(N)`,
    l1 = `rand(N / 2, D)` and l2 = `rand(N / 2, D)`.

    Args:
        seed: Seed of the stream, 0 to 2**32 - 1.
        population_size: Number of members N, even.
        variables: Number of variables D.
    """

    def __init__(self, seed: int, population_size: int, variables: int) -> None:
        self._random = np.random.RandomState(seed)
        self._size = population_size
        self._variables = variables
        self._start = self._random.rand(population_size, variables)
        self._generations: list[tuple[Pairs, Vector, Vector]] = []

    def _drawn(self, generation: int) -> tuple[Pairs, Vector, Vector]:
        while len(self._generations) <= generation:
            pairs = self._random.permutation(self._size).reshape(-1, 2)
            l1 = self._random.rand(self._size // 2, self._variables)
            l2 = self._random.rand(self._size // 2, self._variables)
            self._generations.append((pairs, l1, l2))
        return self._generations[generation]

    def pairs(self, generation: int) -> Pairs:
        """Return the members of each pair, see `Draws`."""
        return self._drawn(generation)[0]

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """Return the members' initial positions, see `Draws`."""
        assert generation == 0 and len(names) == self._variables
        return self._start

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """Return the random matrices l1 and l2, see `Draws`."""
        assert len(names) == self._variables
        return self._drawn(generation)[1:]


class KeyedDraws:
    """One random stream for each seed, generation and parameter name.

    For a search space that is learned from the trials: the numbers of one parameter do not depend
    on which other parameters there are.

    Args:
        seed: Seed of all streams, 0 to 2**32 - 1.
        population_size: Number of members N, even.
    """

    def __init__(self, seed: int, population_size: int) -> None:
        self._seed = seed
        self._size = population_size
        self._last: tuple[tuple[int, list[str]], tuple[Vector, Vector]] | None = None

    def pairs(self, generation: int) -> Pairs:
        """Return the members of each pair, see `Draws`."""
        return (
            keyed_generator(self._seed, _PAIRS, generation).permutation(self._size).reshape(-1, 2)
        )

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """Return the members' initial positions, see `Draws`."""
        positions = np.empty((self._size, len(names)))
        for seat, member in enumerate(self.pairs(generation).ravel().tolist()):
            positions[member] = [uniform(self._seed, generation, seat, name) for name in names]
        return positions

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """Return the random matrices l1 and l2, see `Draws`."""
        key = (generation, list(names))
        if self._last is None or self._last[0] != key:
            both = np.empty((2, self._size // 2, len(names)))
            for i, name in enumerate(names):
                random = keyed_generator(self._seed, _MATRICES, generation, name_key(name))
                both[:, :, i] = random.random((2, self._size // 2))
            self._last = key, (both[0], both[1])
        return self._last[1]
