"""Positions within the limits of a search."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import cell, decode, finite_count, interval
from relativenas_optuna.samplers.limits.choices import LimitedChoices
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.limits.choices import LimitedDraws
    from relativenas_optuna.samplers.limits.limits import Limits

    Vector = NDArray[np.float64]

MOST_VALUES = 1_000  # of a variable that an additive limit counts
_ATTEMPTS = 100  # draws until the nearest architecture within the limits is taken
_DESCENTS = 10  # starts from which a position within the limits is looked for
_TRIED = 33  # values of a variable that are tried to lower a cost
# Purposes of random numbers; samplers have others.
_REDRAWS, _KNOWN = 101, 102


class WithinLimits:
    """The positions of a search space whose architectures keep the limits of a search.

    Args:
        limits: The limits.
        space: Distributions of all parameters by name.
        seed: Seed of the search.

    Raises:
        SettingsError: A limit counts a parameter, or values of one, that the space does not have.
    """

    def __init__(self, limits: Limits, space: Mapping[str, BaseDistribution], seed: int) -> None:
        self.limits = limits
        self._seed = seed
        self._encoding = Encoding.of(space)
        self._fixed = fixed_values(space)
        values = {name: _values(d) for name, d in self._encoding.space.items()}
        self._values = values
        self._choices = LimitedChoices(limits, values, self._fixed)

    def check(self) -> None:
        """Raise if no architecture keeps the limits.

        Raises:
            SettingsError: A limit is below the least cost that exists, or two limits contradict; or
                none was found that keeps a function.
        """
        self._choices.check()
        if self.limits.functions:
            _ = self.known

    def keep(self, position: Vector) -> bool:
        """Return True if the architecture at a position `[variables]` keeps all limits."""
        if not self._choices.keep(self._indices(position)):
            return False
        return not self.limits.functions or self.limits.are_kept(self.params(position))

    def drawn(self, position: Vector, *key: int) -> Vector:
        """Return a position that was drawn uniformly, or another one drawn within the limits.

        So the result is drawn uniformly among the positions within the limits, up to the grid of
        `CostGrid`.

        Args:
            position: The drawn position, `[variables]`.
            key: Numbers that are different for each draw of a search, such as the seat.
        """
        if self.keep(position):
            return position
        random = keyed_generator(self._seed, _REDRAWS, *key)
        for _ in range(_ATTEMPTS):
            position = self._draw(random)
            if self.keep(position):
                return position
        return self.nearest(position, self.known)

    def nearest(self, position: Vector, inside: Vector | None = None) -> Vector:
        """Return the position itself if it keeps all limits, or a nearest one that does.

        With additive limits the fewest variables are changed, see `nearest.nearest`. A changed
        variable has the middle of its value's cell. If a function is still above its limit, one
        variable gets its value of `inside`, the first with which the limits are kept. If there is
        none, the variables get these values one after the other until they are kept.

        Args:
            position: The position, `[variables]`.
            inside: A position within the limits, `[variables]`; None for any.
        """
        if self.keep(position):
            return position
        found = self._choices.nearest(self._indices(position))
        names = list(self._encoding.space)
        changed = {
            name: values[index]
            for name, index in zip(names, found, strict=True)
            if (values := self._values[name]) is not None
        }
        moved = self._encoding.adopt(position, changed)
        if self.keep(moved):
            return moved
        if inside is None or not self.keep(inside):
            inside = self.known
        for variable in range(len(moved)):
            one = moved.copy()
            one[variable] = inside[variable]
            if self.keep(one):
                return one
        moved = moved.copy()
        for variable in range(len(moved)):
            moved[variable] = inside[variable]
            if self.keep(moved):
                break
        return moved

    @cached_property
    def known(self) -> Vector:
        """A position within the limits, the same in every process.

        Raises:
            SettingsError: None was found.
        """
        random = keyed_generator(0, _KNOWN)  # any search of these limits finds the same
        starts = [self._draw(random) for _ in range(_ATTEMPTS)]
        excesses = [self._excess(position) for position in starts]
        best, excess = starts[0], float("inf")
        for start in np.argsort(excesses, kind="stable")[:_DESCENTS].tolist():
            position, over = self._lowered(starts[start], excesses[start])
            if over < excess:
                best, excess = position, over
            if over <= 0:
                return position
        costs = self.limits.costs(self.params(best))
        at_most = {name: limit.at_most for name, limit in self.limits.by_name.items()}
        raise SettingsError(
            f"limits={at_most} must be kept by some architecture, and none was found; the "
            f"nearest one costs {costs}: raise the limits"
        )

    def _lowered(self, best: Vector, excess: float) -> tuple[Vector, float]:
        """Lower the costs above the limits, one variable at a time.

        Args:
            best: A position that keeps the additive limits.
            excess: Its largest violation, as `_excess` returns it.

        Returns:
            A position with the same or a lower violation, and its violation.
        """
        lowered = True
        while lowered and excess > 0:
            lowered = False
            for variable, distribution in enumerate(self._encoding.space.values()):
                for point in _points(distribution):
                    position = best.copy()
                    position[variable] = point
                    over = self._excess(position)
                    if over < excess and self._choices.keep(self._indices(position)):
                        best, excess, lowered = position, over, True
        return best, excess

    def _excess(self, position: Vector) -> float:
        return max(self.limits.violations(self.params(position)).values())

    def params(self, position: Vector) -> dict[str, Any]:
        """Return all parameters of the architecture at a position `[variables]`."""
        return self._fixed | self._encoding.decode(position)

    def _indices(self, position: Vector) -> list[int]:
        return list(map(int, self._encoding.indices(position)))

    def _draw(self, random: np.random.Generator) -> Vector:
        """Draw a position that keeps the additive limits, uniformly up to the grid."""
        low, high = self._encoding.low, self._encoding.high
        position = low + random.random(len(low)) * (high - low)
        distributions = list(self._encoding.space.values())
        for variable, index in self._uniform.draw(random).items():
            first, end = cell(distributions[variable], index)
            position[variable] = end - random.random() * (end - first)  # the cell has its end
        return position

    @cached_property
    def _uniform(self) -> LimitedDraws:
        weights = []
        for name, distribution in self._encoding.space.items():
            ends = [cell(distribution, index) for index in range(len(self._values[name] or ()))]
            weights.append(np.array([end - first for first, end in ends]))
        return self._choices.draws(weights, [np.zeros(len(w), np.int64) for w in weights])


def fixed_values(space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Return the parameters that have one value only."""
    return {name: decode(d, interval(d)[0]) for name, d in space.items() if d.single()}


def _values(distribution: BaseDistribution) -> list[Any] | None:
    count = finite_count(distribution)
    if count is None or count > MOST_VALUES:
        return None
    return [value_at(distribution, index) for index in range(count)]


def value_at(distribution: BaseDistribution, index: int) -> Any:
    """Return the value `index`, from 0, of a parameter with a `finite_count`."""
    first, end = cell(distribution, index)
    return decode(distribution, (first + end) / 2)


def _points(distribution: BaseDistribution) -> Vector:
    """Return points of a parameter's interval: the middle of each cell, or evenly spread ones."""
    count = finite_count(distribution)
    if count is not None and count <= _TRIED:
        return np.array([sum(cell(distribution, index)) / 2 for index in range(count)])
    return np.linspace(*interval(distribution), _TRIED)
