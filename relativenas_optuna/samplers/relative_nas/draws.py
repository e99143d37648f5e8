"""The random numbers of a search: pairs, positions and matrices, none of them owed to a score."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Pairs = NDArray[np.intp]

# Keep the keyed streams of one seed apart.
_PAIRS, _MATRICES, _SEATS, _AGAIN, _MOVES, _SPREAD, _EXTRAS = range(7)


def uniform(seed: int, generation: int, seat: int, name: str) -> float:
    """The one draw in [0, 1) that belongs to a parameter of a seat of a generation."""
    return float(_keyed(seed, _SEATS, generation, seat, _hash(name)).random())


def redraw_generator(seed: int, generation: int, pair: int) -> np.random.Generator:
    """What a pair draws from where its first draw gave an architecture that is taken."""
    return _keyed(seed, _AGAIN, generation, pair)


def move_generator(seed: int, generation: int, pair: int) -> np.random.Generator:
    """What the moves of a pair's slow learner are drawn from."""
    return _keyed(seed, _MOVES, generation, pair)


def extra_trial_generator(seed: int, number: int) -> np.random.Generator:
    """The random numbers of extra trial `number`."""
    return _keyed(seed, _EXTRAS, number)


def extra_trial_uniform(seed: int, number: int, name: str) -> float:
    """The one draw in [0, 1) that belongs to a parameter of extra trial `number`."""
    return float(_keyed(seed, _EXTRAS, number, _hash(name)).random())


@lru_cache(maxsize=256)
def latin_hypercube(seed: int, generation: int, name: str, size: int) -> Vector:
    """The draws in [0, 1) of a parameter for all seats of a generation, `[size]`.

    Each of them is in another of `size` equal parts.
    """
    random = _keyed(seed, _SPREAD, generation, _hash(name))
    drawn: Vector = (random.permutation(size) + random.random(size)) / size
    drawn.flags.writeable = False
    return drawn


class Draws(Protocol):
    """What a generation of N members draws. The same arguments always give the same numbers."""

    def pairs(self, generation: int) -> Pairs:
        """The members of each pair, `[N / 2, 2]`: seats 2k and 2k + 1 are pair k's row."""

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """Where members start, in units of [0, 1): `[N, len(names)]`."""

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """The random matrices l1 and l2 in [0, 1), each `[N / 2, len(names)]`."""


class PaperDraws:
    """The random stream of the published code: NumPy's RandomState, seeded once.

    `rand(N, D)` for the start; then for every generation `permutation(N)`, `rand(N / 2, D)` = l1
    and `rand(N / 2, D)` = l2. It needs the number of variables D before the first draw.
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
        """See `Draws`."""
        return self._drawn(generation)[0]

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """See `Draws`."""
        assert generation == 0 and len(names) == self._variables
        return self._start

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """See `Draws`."""
        assert len(names) == self._variables
        return self._drawn(generation)[1:]


class KeyedDraws:
    """A stream of its own per (seed, generation, parameter name).

    For a search space that is only learned from the trials: what one parameter draws does not
    depend on which others there are.
    """

    def __init__(self, seed: int, population_size: int) -> None:
        self._seed = seed
        self._size = population_size
        self._last: tuple[tuple[int, list[str]], tuple[Vector, Vector]] | None = None

    def pairs(self, generation: int) -> Pairs:
        """See `Draws`."""
        return _keyed(self._seed, _PAIRS, generation).permutation(self._size).reshape(-1, 2)

    def start(self, names: Sequence[str], generation: int) -> Vector:
        """See `Draws`."""
        positions = np.empty((self._size, len(names)))
        for seat, member in enumerate(self.pairs(generation).ravel().tolist()):
            positions[member] = [uniform(self._seed, generation, seat, name) for name in names]
        return positions

    def matrices(self, names: Sequence[str], generation: int) -> tuple[Vector, Vector]:
        """See `Draws`."""
        key = (generation, list(names))
        if self._last is None or self._last[0] != key:
            both = np.empty((2, self._size // 2, len(names)))
            for i, name in enumerate(names):
                random = _keyed(self._seed, _MATRICES, generation, _hash(name))
                both[:, :, i] = random.random((2, self._size // 2))
            self._last = key, (both[0], both[1])
        return self._last[1]


def _keyed(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key))


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
