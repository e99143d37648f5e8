"""Draws under one additive limit: a dynamic programme over the variables, on a grid of costs.

The generator of MIGO-NAS (DPNG) is a dynamic programme of this kind; its code was not published,
and this one is our own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.limits.cost_groups import GroupedCosts

    Vector = NDArray[np.float64]
    Whole = NDArray[np.int64]

# Cells of the grid between the least cost and the limit: more, if there are few different costs.
_FEWEST, _MOST, _PRODUCT = 512, 8_192, 65_536
_MOST_DIGITS = 6
_ROUNDING = 1e-9  # of sums of decimals as floats, as a share
_FAR = 2**40  # the use count of what is not possible


class _Levels(NamedTuple):
    """The combinations of a group by their cost on the grid.

    Attributes:
        levels: Different costs above the group's least one, in cells, ascending, `[levels]`.
        level_of: Index of the level of each combination that the limit can allow, `[allowed]`.
        allowed: Indices of these combinations, `[allowed]`.
        after: What is left of each budget after each level, `[levels, cells + 1]`; at least -1,
            which means that nothing is left.
    """

    levels: Whole
    level_of: NDArray[np.intp]
    allowed: NDArray[np.intp]
    after: Whole


class CostGrid:
    """Random architectures whose cost keeps a limit.

    The cost between the least one and the limit is divided into cells. Costs are rounded up to
    whole cells, so that no architecture above the limit is drawn; some that are below it by less
    than one cell for each group of variables are not drawn either. Costs with up to six decimals
    whose greatest common divisor is coarse enough are not rounded at all. Then a draw may be above
    the limit by the rounding of floats.

    Args:
        costs: The costs; the least one must keep the limit.
        limit: Index of the limit that counts.

    Attributes:
        exact: True if no cost is rounded.
    """

    def __init__(self, costs: GroupedCosts, limit: int) -> None:
        self._groups = costs.groups
        least = [group.costs[limit].min() for group in costs.groups]
        above = [group.costs[limit] - low for group, low in zip(costs.groups, least, strict=True)]
        room = float(costs.at_most[limit] - costs.least[limit])
        different = sum(len(np.unique(extra)) for extra in above)
        cells = min(max(_FEWEST, _PRODUCT // max(different, 1)), _MOST)
        unit, self.exact = _unit(above, room, cells)
        # Rounding may have put a whole number of cells just below itself.
        rounding = 1 + (_ROUNDING if self.exact else 0)
        self._budget = 0 if unit == 0 else math.floor(room / unit * rounding)
        self._levels = [_levels(extra, unit, self._budget, exact=self.exact) for extra in above]

    def tables(self, weights: Sequence[Vector], uses: Sequence[Whole]) -> GridDraws:
        """Return the draws for given weights.

        Args:
            weights: Weights of the categories of each variable, at least 0, `[categories]` each.
            uses: How often each category was used more than the least-used one of its variable,
                `[categories]` each. An architecture is drawn among those within the limit with the
                smallest sum, in proportion to the product of its weights.

        Raises:
            ValueError: No architecture within the limit has a weight above 0.
        """
        parts = []
        for group, levels in zip(self._groups, self._levels, strict=True):
            options = group.options[levels.allowed]
            weight, use = np.ones(len(options)), np.zeros(len(options), dtype=np.int64)
            for column, variable in enumerate(group.variables):
                weight *= weights[variable][options[:, column]]
                use += uses[variable][options[:, column]]
            use[weight <= 0] = _FAR
            parts.append(_Part(group.variables, options, weight, use, levels))
        return GridDraws(parts, self._budget)


class _Part(NamedTuple):
    """A group of variables with the weights and use counts of its allowed combinations."""

    variables: tuple[int, ...]
    options: NDArray[np.intp]
    weights: Vector
    uses: Whole
    levels: _Levels


class GridDraws:
    """Draws for given weights; see `CostGrid.tables`.

    Args:
        parts: The groups.
        budget: Cells between the least cost and the limit.
    """

    def __init__(self, parts: Sequence[_Part], budget: int) -> None:
        self._parts = parts
        self._budget = budget
        # Of the groups from each one on, by the budget left to them: the smallest sum of use
        # counts, and the weight of the architectures that have it. The last entry is "no budget".
        uses, weight = np.zeros(budget + 2, np.int64), np.ones(budget + 2)
        uses[-1], weight[-1] = _FAR, 0.0
        self._after: list[tuple[Whole, Vector]] = [(uses, weight)]
        self._by_level: list[tuple[Whole, Vector]] = []
        for part in reversed(parts):
            least, total = _by_level(part)
            uses, weight = self._after[-1]
            sums = least[:, None] + uses[part.levels.after]
            shares = total[:, None] * weight[part.levels.after]  # 0 for what is not possible
            uses, weight = np.full(budget + 2, _FAR), np.zeros(budget + 2)
            sums.min(axis=0, out=uses[:-1])
            np.multiply(shares, sums == uses[:-1], out=shares)
            shares.sum(axis=0, out=weight[:-1])
            weight /= weight.max() or 1.0
            self._after.append((uses, weight))
            self._by_level.append((least, total))
        self._after.reverse()
        self._by_level.reverse()
        if self._after[0][0][budget] >= _FAR:
            raise ValueError("no architecture within the limit has a weight above 0")

    def draw(self, random: np.random.Generator) -> dict[int, int]:
        """Draw an architecture.

        Returns:
            The index of the category of each variable that changes the cost.
        """
        budget = self._budget
        chosen: dict[int, int] = {}
        numbers = iter(random.random(2 * len(self._parts)).tolist())
        for part, (least, total), (uses, weight) in zip(
            self._parts, self._by_level, self._after[1:], strict=True
        ):
            after = part.levels.after[:, budget]
            sums = least + uses[after]
            shares = np.where(sums == sums.min(), total * weight[after], 0.0)
            level = pick(shares, next(numbers))
            fits = (part.levels.level_of == level) & (part.uses == least[level])
            option = pick(np.where(fits, part.weights, 0.0), next(numbers))
            chosen.update(zip(part.variables, part.options[option].tolist(), strict=True))
            budget = int(after[level])
        return chosen


def pick(shares: Vector, number: float) -> int:
    """Return an index in proportion to its share, by a number in [0, 1)."""
    sums = np.cumsum(shares)
    # The first index whose sum is above the number, so that a share of 0 is never picked.
    return int(np.searchsorted(sums, number * sums[-1], side="right"))


def _by_level(part: _Part) -> tuple[Whole, Vector]:
    """Return the smallest use count of each level, and the weight of what has it, `[levels]`."""
    number = len(part.levels.levels)
    least = np.full(number, _FAR)
    np.minimum.at(least, part.levels.level_of, part.uses)
    fits = part.uses == least[part.levels.level_of]
    total = np.zeros(number)
    np.add.at(total, part.levels.level_of, np.where(fits, part.weights, 0.0))
    return least, total


def _levels(extra: Vector, unit: float, budget: int, *, exact: bool) -> _Levels:
    """Return a group's costs on the grid.

    Args:
        extra: Cost of each combination above the group's least one, `[options]`.
        unit: Cost of a cell; 0 if nothing above the least cost is allowed.
        budget: Number of cells up to the limit.
        exact: True if all costs are whole multiples of the unit, up to rounding.
    """
    if unit == 0:
        cells = np.where(extra > 0, np.inf, 0.0)
    else:
        cells = np.rint(extra / unit) if exact else np.ceil(extra / unit)
    allowed = np.flatnonzero(cells <= budget)
    levels, level_of = np.unique(cells[allowed].astype(np.int64), return_inverse=True)
    after = np.maximum(np.arange(budget + 1) - levels[:, None], -1)
    return _Levels(levels, level_of, allowed, after)


def _unit(above: Sequence[Vector], room: float, cells: int) -> tuple[float, bool]:
    """Return the cost of a cell, and True if all costs are whole multiples of it.

    Costs with up to six decimals are such multiples, up to the rounding of floats.
    """
    extras = np.concatenate([np.zeros(1), *above])
    extras = np.unique(extras[(extras > _ROUNDING * room) & (extras <= room * (1 + _ROUNDING))])
    if not len(extras):
        return 0.0, True
    for digits in range(_MOST_DIGITS + 1):
        scaled = extras * 10.0**digits
        whole = np.rint(scaled)
        if scaled[-1] < 2**53 and np.allclose(scaled, whole, rtol=_ROUNDING, atol=0):
            unit = float(np.gcd.reduce(whole.astype(np.int64))) / 10.0**digits
            return (unit, True) if room / unit < cells else (room / cells, False)
    return room / cells, False
