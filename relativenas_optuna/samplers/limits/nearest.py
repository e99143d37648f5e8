"""The nearest architecture within additive limits: the one with the fewest changed variables."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.limits.cost_groups import CostGroup, GroupedCosts

    Vector = NDArray[np.float64]

T = TypeVar("T")
_ROUNDING = 1e-12  # by which sums in another order may differ, as a share


class _Partial(NamedTuple):
    """Combinations of the first groups.

    Attributes:
        costs: Their costs together, `[limits]`.
        option: Index of the combination of the last of these groups; -1 without a group.
        before: The same for the groups before it; None without a group.
    """

    costs: tuple[float, ...]
    option: int
    before: Any

    def options(self) -> list[int]:
        """Return the index of the combination of each group."""
        found: list[int] = []
        partial = self
        while partial.before is not None:
            found.append(partial.option)
            partial = partial.before
        return found[::-1]


_Choices = Mapping[int, Sequence[tuple[int, tuple[float, ...]]]]
"""Combinations of a group with their costs, by the number of changed variables."""


def nearest(costs: GroupedCosts, chosen: Sequence[int]) -> list[int] | None:
    """Return the nearest architecture that keeps all limits.

    It has the fewest changed variables. Among these it is the one with the lowest costs, and then
    each group of changed variables in turn gets the combination with the highest first cost with
    which all limits are kept. So the result depends on the arguments alone.

    Args:
        costs: The costs and limits.
        chosen: Index of the category of each variable, `[variables]`.

    Returns:
        Indices of the same kind; None if no architecture keeps all limits.
    """
    if costs.keep(chosen):
        return list(chosen)
    variables = sum(len(group.variables) for group in costs.groups)
    choices = [_by_changes(group, chosen) for group in costs.groups]
    most = _fewest_changes(costs, chosen, choices)
    while True:
        for _, partials in sorted(_cheapest(costs, costs.at_most, choices, most).items()):
            for partial in partials:
                found = _put(costs, chosen, partial.options())
                if costs.keep(found):
                    return _raised(costs, chosen, found)
        if most >= variables:
            return None
        most += 1


def least_together(costs: GroupedCosts, limit: int) -> float | None:
    """Return the least cost of one kind among the architectures that keep all other limits.

    Returns:
        None if no architecture keeps the others.
    """
    every = [{0: list(enumerate(_columns(group)))} for group in costs.groups]
    at_most = costs.at_most.copy()
    at_most[limit] = np.inf
    found = _cheapest(costs, at_most, every, 0)
    return min((partial.costs[limit] for partial in found.get(0, ())), default=None)


def _fewest_changes(costs: GroupedCosts, chosen: Sequence[int], choices: Sequence[_Choices]) -> int:
    """Return a number of changes, at least 1, below which no architecture keeps all limits."""
    fewest = 1
    for row, excess in enumerate((costs.of(chosen) - costs.at_most).tolist()):
        savings: list[float] = []  # more than each change can save
        for group, known in zip(costs.groups, choices, strict=True):
            now = group.costs[row, group.option(chosen)]
            each = max(
                (now - min(option[1][row] for option in options)) / changed
                for changed, options in known.items()
                if changed
            )
            savings += [each] * len(group.variables)
        total = np.cumsum(sorted(savings, reverse=True)) * (1 + _ROUNDING)
        fewest = max(fewest, 1 + int(np.searchsorted(total, excess)))
    return min(fewest, sum(len(group.variables) for group in costs.groups))


def _columns(group: CostGroup) -> list[tuple[float, ...]]:
    return [tuple(column) for column in group.costs.T.tolist()]


def _by_changes(group: CostGroup, chosen: Sequence[int]) -> _Choices:
    """Return the combinations of a group that no other one undercuts, by their changes."""
    own = np.array([chosen[variable] for variable in group.variables])
    changes = (group.options != own).sum(axis=1).tolist()
    found: dict[int, list[tuple[int, tuple[float, ...]]]] = {}
    for option, (changed, costs) in enumerate(zip(changes, _columns(group), strict=True)):
        found.setdefault(changed, []).append((option, costs))
    return {changed: _front(known, lambda choice: choice[1]) for changed, known in found.items()}


def _cheapest(
    costs: GroupedCosts, at_most: Vector, choices: Sequence[_Choices], most: int
) -> dict[int, list[_Partial]]:
    """Return the architectures within limits that no other one undercuts, by their changes.

    Args:
        costs: The costs.
        at_most: The limits, `[limits]`.
        choices: For each group, the combinations to choose from.
        most: Largest number of changes.
    """
    left = costs.least - costs.constants  # the least costs of the groups not counted yet
    found = {0: [_Partial(tuple(costs.constants.tolist()), -1, None)]}
    for group, options in zip(costs.groups, choices, strict=True):
        left = left - group.costs.min(axis=1)
        room = (at_most * (1 + _ROUNDING) - left).tolist()
        following: dict[int, list[_Partial]] = {}
        for changes, partials in found.items():
            for changed, known in options.items():
                if changes + changed <= most:
                    following.setdefault(changes + changed, []).extend(
                        _Partial(total, option, partial)
                        for partial in partials
                        for option, own in known
                        if _fits(total := tuple(map(operator.add, partial.costs, own)), room)
                    )
        found = {n: _front(partials, _costs_of) for n, partials in following.items()}
    return found


def _costs_of(partial: _Partial) -> tuple[float, ...]:
    return partial.costs


def _fits(costs: tuple[float, ...], room: Sequence[float]) -> bool:
    return all(cost <= most for cost, most in zip(costs, room, strict=True))


def _front(items: Sequence[T], costs_of: Callable[[T], tuple[float, ...]]) -> list[T]:
    """Return the items that no other one undercuts, in ascending order of their costs."""
    if items and len(costs_of(items[0])) == 1:
        return [min(items, key=costs_of)]
    kept: list[T] = []
    for item in sorted(items, key=costs_of):  # the sort is stable: the first of equals stays
        costs = costs_of(item)
        if not any(_fits(costs_of(other), costs) for other in kept):
            kept.append(item)
    return kept


def _put(costs: GroupedCosts, chosen: Sequence[int], options: Sequence[int]) -> list[int]:
    """Return an architecture with other combinations of the groups."""
    found = list(chosen)
    for group, option in zip(costs.groups, options, strict=True):
        for variable, category in zip(group.variables, group.options[option], strict=True):
            found[variable] = int(category)
    return found


def _raised(costs: GroupedCosts, chosen: Sequence[int], found: Sequence[int]) -> list[int]:
    """Return an architecture whose changed variables have the most expensive values within limits.

    Args:
        costs: The costs and limits.
        chosen: The architecture that was asked for, `[variables]`.
        found: The changed one, which keeps the limits, `[variables]`.
    """
    best = list(found)
    for group in costs.groups:
        own = np.array([chosen[variable] for variable in group.variables])
        new = np.array([best[variable] for variable in group.variables])
        if (own == new).all():
            continue
        same = ((group.options != own) == (new != own)).all(axis=1)
        for option in sorted(np.flatnonzero(same).tolist(), key=lambda o: -group.costs[0, o]):
            tried = list(best)
            for variable, category in zip(group.variables, group.options[option], strict=True):
                tried[variable] = int(category)
            if costs.keep(tried):
                best = tried
                break
    return best
