"""Architectures that were scored before, and how a pair gets around them."""

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
    Key = tuple[float, ...]  # which value each variable has, by `Encoding.indices`
    Places = tuple[int, ...]  # of some variables

_REDRAWS = 8  # of the two random weights, before variables are drawn anew
_CHANGES = 8  # attempts with one variable drawn anew, then as many with two, ...


class VisitedArchitectures:
    """The architectures of a search space that were scored up to a generation.

    A complete trial that suggested only some variables stands for all positions with its values of
    these, whatever their other variables are. That holds only if parameters decide which variables
    are suggested: any two sets of suggested variables must share a variable whose values always
    differ between them. A trial of a set for which that is not so stands for its own position.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._all = tuple(range(len(encoding.space)))
        self._added: dict[int, list[tuple[Places, Key]]] = {}  # by generation
        self._begin()

    def _begin(self) -> None:
        self._last = -1
        self._seen: dict[Key, Places] = {}
        self._keys: dict[Places, set[Key]] = {}  # the values of each set of variables
        self._values: dict[Places, dict[int, set[float]]] = {}  # the same by variable
        self._apart: dict[tuple[Places, Places], int] = {}  # a variable that differs between two
        self._vague: set[Places] = set()  # sets without such a variable

    def add(self, trial: FrozenTrial, generation: int, position: Vector) -> None:
        """Add what a trial scored at a position `[variables]`.

        A trial with further parameters is an architecture of its own, which the space does not
        describe.
        """
        more = trial.distributions.keys() - self._encoding.space.keys()
        if not all(trial.distributions[name].single() for name in more):
            return
        entry = self._suggested(trial), self._encoding.indices(position)
        self._added.setdefault(generation, []).append(entry)

    def is_same(self, vector: Vector, trial: FrozenTrial, position: Vector) -> bool:
        """Return True if `vector` `[variables]` is the architecture a trial scored at `position`.

        Both are if they differ only in variables that such trials do not suggest, as far as is
        known of the generations that were asked for last.
        """
        key, scored = self._encoding.indices(vector), self._encoding.indices(position)
        places = self._suggested(trial)
        return key == scored or (
            places not in self._vague and _only(places, key) == _only(places, scored)
        )

    def _suggested(self, trial: FrozenTrial) -> Places:
        """Return the variables that a trial suggested, or all if it may have ended before that."""
        space, complete = self._encoding.space, trial.state == TrialState.COMPLETE
        suggested = tuple(i for i, name in enumerate(space) if name in trial.params)
        return suggested if complete and suggested else self._all

    def is_visited(self, vector: Vector, generation: int) -> bool:
        """Return True if a position's architecture was scored in a generation up to this one."""
        self._see(generation)
        key = self._encoding.indices(vector)
        return key in self._seen or self._is_covered(key)

    def all_visited(self, generation: int) -> bool:
        """Return True if every architecture of the space was scored up to a generation."""
        if self._encoding.counts is None:
            return False
        self._see(generation)
        taken = sum(len(keys) * self._size_of(places) for places, keys in self._blocks())
        return taken + len(self._alone()) >= self._encoding.size

    def first_unvisited(self, vector: Vector, generation: int) -> list[int] | None:
        """Return the indices of an architecture that is not taken; None in an infinite space.

        Each variable in turn has the first value, counted from that of `vector` `[variables]`, with
        which an architecture is left.
        """
        counts, sizes = self._encoding.counts, self._encoding.sizes
        if counts is None:
            return None
        self._see(generation)
        blocks = [
            (dict(zip(places, key, strict=True)), self._size_of(places))
            for places, keys in self._blocks()
            for key in keys
        ]
        blocks += [(dict(enumerate(key)), 1) for key in self._alone()]
        room, found = math.prod(sizes), []
        for place, start in enumerate(self._encoding.indices(vector)):
            room //= sizes[place]
            # The positions that are taken with any value, and those with one value.
            shared = sum(size // sizes[place] for block, size in blocks if place not in block)
            taken: Counter[float] = Counter()
            for block, size in blocks:
                if place in block:
                    taken[block[place]] += size
            value = int(start)
            while shared + taken[value] >= room or not self._encoding.is_first(place, value):
                value = (value + 1) % counts[place]
            found.append(value)
            blocks = [
                (block, size if place in block else size // sizes[place])
                for block, size in blocks
                if block.get(place, value) == value
            ]
        return found

    def _blocks(self) -> list[tuple[Places, set[Key]]]:
        """Return the sets of variables that stand for all others, with their values."""
        return [(p, keys) for p, keys in self._keys.items() if p not in self._vague]

    def _is_covered(self, key: Key) -> bool:
        return any(_only(places, key) in keys for places, keys in self._blocks())

    def _alone(self) -> list[Key]:
        """Return the positions that stand for themselves alone."""
        if not self._vague:
            return []
        vague = (key for key, places in self._seen.items() if places in self._vague)
        return [key for key in vague if not self._is_covered(key)]

    def _size_of(self, places: Places) -> int:
        """Return how many positions have the same values of some variables."""
        sizes = self._encoding.sizes
        return math.prod(sizes[i] for i in self._all if i not in places)

    def _see(self, generation: int) -> None:
        """Count the architectures of all generations up to one, and no others."""
        if generation < self._last:
            self._begin()
        for index in range(self._last + 1, generation + 1):
            for places, key in self._added.get(index, ()):
                self._count(places, key)
        self._last = generation

    def _count(self, places: Places, key: Key) -> None:
        self._seen.setdefault(key, places)
        new = places not in self._keys
        self._keys.setdefault(places, set()).add(_only(places, key))
        values = self._values.setdefault(places, {place: set() for place in places})
        for place, known in values.items():
            known.add(key[place])
        for other in self._keys:
            pair = min(places, other), max(places, other)
            apart = self._apart.get(pair, -1)
            if other == places or (apart < 0 and not new):
                continue
            if new or key[apart] in self._values[other][apart]:
                self._apart[pair] = self._difference(places, other)
                if self._apart[pair] < 0:
                    self._vague.update(pair)

    def _difference(self, one: Places, other: Places) -> int:
        """Return a variable whose values always differ between two sets; -1 if there is none."""
        values, others = self._values[one], self._values[other]
        return next((p for p in one if p in others and values[p].isdisjoint(others[p])), -1)


def _only(places: Places, key: Key) -> Key:
    return tuple([key[place] for place in places])


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

    Three attempts follow each other. The learning rule gets new random weights. Then ever more
    variables of `start` are drawn anew. Last, `VisitedArchitectures.first_unvisited` decides; in
    an infinite space, where it finds nothing, the last position drawn is returned.

    Args:
        encoding: Of the search space.
        start: `[variables]`, the position that is taken.
        redraw: The position that the learning rule gives for two random weights `[variables]`.
        visited: The visited architectures; not all of the space.
        generation: The last generation that counts.
        random: The draws.
    """
    for _ in range(_REDRAWS):
        position = redraw(random.random(len(start)), random.random(len(start)))
        if not visited.is_visited(position, generation):
            return position
    for attempt in range(_CHANGES * len(start)):
        position = start.copy()
        changed = random.permutation(len(start))[: 1 + attempt // _CHANGES]
        width = encoding.high[changed] - encoding.low[changed]
        position[changed] = encoding.low[changed] + random.random(len(changed)) * width
        if not visited.is_visited(position, generation):
            return position
    found = visited.first_unvisited(position, generation)
    if found is None:
        return position
    was = encoding.indices(position)
    for i, distribution in enumerate(encoding.space.values()):
        if found[i] != was[i]:
            low, high = cell(distribution, found[i])
            position[i] = low + (0.25 + random.random() / 2) * (high - low)  # off the cell's ends
    return position
