"""Visited architectures, which were scored before, and proposals that avoid them."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import TrialState

from relativenas_optuna.samplers.intervals import cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding

    Vector = NDArray[np.float64]
    Key = tuple[float, ...]  # the index of each variable's value, by `Encoding.indices`
    Subset = tuple[int, ...]  # indices of some variables, ascending

_REDRAWS = 8  # of the two random weights, before variables are redrawn
_ATTEMPTS = 8  # with one variable redrawn, then as many with two, and so on


class VisitedArchitectures:
    """The architectures of a search space that were scored up to a generation.

    A complete trial that suggested only a subset of the variables covers all positions with its
    values of this subset. That is right only if parameters decide which variables are suggested:
    any two subsets must share a deciding variable, whose values always differ between them. A
    trial of a subset without one is ambiguous and covers its own position only.

    Args:
        encoding: Encoding of the positions.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._all = tuple(range(len(encoding.space)))
        self._added: dict[int, list[tuple[Subset, Key]]] = {}  # by generation
        self._clear()

    def _clear(self) -> None:
        self._last = -1  # the last generation that is counted
        self._seen: dict[Key, Subset] = {}
        self._keys: dict[Subset, set[Key]] = {}  # the values of each subset
        self._values: dict[Subset, dict[int, set[float]]] = {}  # the same by variable
        self._deciding: dict[tuple[Subset, Subset], int] = {}  # a variable; -1 if there is none
        self._ambiguous: set[Subset] = set()

    def add(self, trial: FrozenTrial, generation: int, position: Vector) -> None:
        """Add a trial that was scored in a generation at a position `[variables]`.

        A trial with further parameters, which the encoding does not describe, is ignored.
        """
        more = trial.distributions.keys() - self._encoding.space.keys()
        if not all(trial.distributions[name].single() for name in more):
            return
        entry = self._suggested(trial), self._encoding.indices(position)
        self._added.setdefault(generation, []).append(entry)

    def is_same(self, vector: Vector, trial: FrozenTrial, position: Vector) -> bool:
        """Return True if a position has the architecture that a trial scored.

        Positions that differ only in variables that the trial did not suggest have the same
        architecture, unless its subset is ambiguous by the generations that were last asked for.

        Args:
            vector: Position to test, `[variables]`.
            trial: The trial.
            position: Position of the trial, `[variables]`.
        """
        key, scored = self._encoding.indices(vector), self._encoding.indices(position)
        subset = self._suggested(trial)
        return key == scored or (
            subset not in self._ambiguous and _select(subset, key) == _select(subset, scored)
        )

    def _suggested(self, trial: FrozenTrial) -> Subset:
        """Return the variables that a complete trial suggested; all for any other trial."""
        space, complete = self._encoding.space, trial.state == TrialState.COMPLETE
        suggested = tuple(i for i, name in enumerate(space) if name in trial.params)
        return suggested if complete and suggested else self._all

    def is_visited(self, vector: Vector, generation: int) -> bool:
        """Return True if the architecture at a position was scored up to a generation."""
        self._count_up_to(generation)
        key = self._encoding.indices(vector)
        return key in self._seen or self._is_covered(key)

    def all_visited(self, generation: int) -> bool:
        """Return True if every architecture of the space was scored up to a generation."""
        if self._encoding.counts is None:
            return False
        self._count_up_to(generation)
        visited = sum(len(keys) * self._size_of(subset) for subset, keys in self._covering())
        return visited + len(self._single_positions()) >= self._encoding.size

    def first_unvisited(self, vector: Vector, generation: int) -> list[int] | None:
        """Return the value indices of an unvisited architecture, or None in an infinite space.

        At least one architecture must be unvisited. The variables are set one after the other:
        each to the first value, counting from that of `vector` `[variables]`, with which an
        unvisited architecture remains.
        """
        counts = self._encoding.counts
        if counts is None:
            return None
        sizes = self._encoding.sizes
        self._count_up_to(generation)
        blocks = [
            (dict(zip(subset, key, strict=True)), self._size_of(subset))
            for subset, keys in self._covering()
            for key in keys
        ]
        blocks += [(dict(enumerate(key)), 1) for key in self._single_positions()]
        room, found = math.prod(sizes), []
        for i, start in enumerate(self._encoding.indices(vector)):
            room //= sizes[i]
            # The number of visited positions for each value: from blocks with any value of this
            # variable, and from blocks with one.
            shared = sum(size // sizes[i] for block, size in blocks if i not in block)
            visited: Counter[float] = Counter()
            for block, size in blocks:
                if i in block:
                    visited[block[i]] += size
            value = int(start)
            while shared + visited[value] >= room or not self._encoding.is_first(i, value):
                value = (value + 1) % counts[i]
            found.append(value)
            blocks = [
                (block, size if i in block else size // sizes[i])
                for block, size in blocks
                if block.get(i, value) == value
            ]
        return found

    def _covering(self) -> list[tuple[Subset, set[Key]]]:
        """Return the subsets that are not ambiguous, with their values."""
        return [(s, keys) for s, keys in self._keys.items() if s not in self._ambiguous]

    def _is_covered(self, key: Key) -> bool:
        return any(_select(subset, key) in keys for subset, keys in self._covering())

    def _single_positions(self) -> list[Key]:
        """Return the positions of ambiguous subsets that no other subset covers."""
        if not self._ambiguous:
            return []
        ambiguous = (key for key, subset in self._seen.items() if subset in self._ambiguous)
        return [key for key in ambiguous if not self._is_covered(key)]

    def _size_of(self, subset: Subset) -> int:
        """Return the number of positions that have the same values of a subset."""
        sizes = self._encoding.sizes
        return math.prod(sizes[i] for i in self._all if i not in subset)

    def _count_up_to(self, generation: int) -> None:
        """Count the architectures of all generations up to one, and no later ones."""
        if generation < self._last:
            self._clear()
        for index in range(self._last + 1, generation + 1):
            for subset, key in self._added.get(index, ()):
                self._count(subset, key)
        self._last = generation

    def _count(self, subset: Subset, key: Key) -> None:
        self._seen.setdefault(key, subset)
        new = subset not in self._keys
        self._keys.setdefault(subset, set()).add(_select(subset, key))
        values = self._values.setdefault(subset, {i: set() for i in subset})
        for i, known in values.items():
            known.add(key[i])
        for other in self._keys:
            pair = min(subset, other), max(subset, other)
            deciding = self._deciding.get(pair, -1)
            if other == subset or (deciding < 0 and not new):
                continue
            if new or key[deciding] in self._values[other][deciding]:
                self._deciding[pair] = self._find_deciding(subset, other)
                if self._deciding[pair] < 0:
                    self._ambiguous.update(pair)

    def _find_deciding(self, one: Subset, other: Subset) -> int:
        """Return a variable whose values always differ between two subsets, or -1."""
        values, others = self._values[one], self._values[other]
        return next((i for i in one if i in others and values[i].isdisjoint(others[i])), -1)


def _select(subset: Subset, key: Key) -> Key:
    return tuple([key[i] for i in subset])


def propose_unvisited(
    encoding: Encoding,
    start: Vector,
    *,
    redraw: Callable[[Vector, Vector], Vector],
    visited: VisitedArchitectures,
    generation: int,
    random: np.random.Generator,
) -> Vector:
    """Return a position whose architecture was not scored up to a generation.

    First, the learning rule gets new random weights. Then one variable of `start` is redrawn,
    then two, and so on. Last, `VisitedArchitectures.first_unvisited` decides; in an infinite space
    the result is the last position drawn.

    Args:
        encoding: Encoding of the positions.
        start: Position of a visited architecture, `[variables]`.
        redraw: Function from two random weights `[variables]` to the position that the learning
            rule gives.
        visited: The visited architectures; at least one of the space must be unvisited.
        generation: The last generation that counts.
        random: Generator of the random numbers.
    """
    for _ in range(_REDRAWS):
        position = redraw(random.random(len(start)), random.random(len(start)))
        if not visited.is_visited(position, generation):
            return position
    for attempt in range(_ATTEMPTS * len(start)):
        position = start.copy()
        changed = random.permutation(len(start))[: 1 + attempt // _ATTEMPTS]
        width = encoding.high[changed] - encoding.low[changed]
        position[changed] = encoding.low[changed] + random.random(len(changed)) * width
        if not visited.is_visited(position, generation):
            return position
    found = visited.first_unvisited(position, generation)
    if found is None:
        return position
    indices = encoding.indices(position)
    for i, distribution in enumerate(encoding.space.values()):
        if found[i] != indices[i]:
            low, high = cell(distribution, found[i])
            position[i] = low + (0.25 + random.random() / 2) * (high - low)  # off the cell's ends
    return position
