"""Additive costs over the variables of a search, grouped so that the groups are independent."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.spaces.costs import AdditiveCost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relativenas_optuna.spaces.costs import Limit

_MOST_OPTIONS = 20_000  # combinations of the variables of one group


@dataclass(frozen=True)
class CostGroup:
    """Variables whose values together decide a part of the costs.

    Attributes:
        variables: Indices of the variables, ascending, `[v]`.
        sizes: Numbers of their categories, `[v]`.
        options: All combinations of their categories, the last one fastest, `[options, v]`.
        costs: Part of each limited cost for each combination, `[limits, options]`.
    """

    variables: tuple[int, ...]
    sizes: tuple[int, ...]
    options: NDArray[np.intp]
    costs: NDArray[np.float64]

    def option(self, chosen: Sequence[int]) -> int:
        """Return the index of the combination that an architecture has.

        Args:
            chosen: Index of the category of each variable of the search, `[variables]`.
        """
        index = 0
        for variable, size in zip(self.variables, self.sizes, strict=True):
            index = index * size + chosen[variable]
        return index


@dataclass(frozen=True)
class GroupedCosts:
    """Limited costs as sums over independent groups of variables.

    Attributes:
        names: Names of the limited costs, `[limits]`.
        constants: The part of each cost that no variable changes, `[limits]`.
        at_most: Largest allowed costs, `[limits]`.
        groups: The groups; a variable that changes no cost is in none.
    """

    names: tuple[str, ...]
    constants: NDArray[np.float64]
    at_most: NDArray[np.float64]
    groups: tuple[CostGroup, ...]

    @property
    def least(self) -> NDArray[np.float64]:
        """The least value that each cost alone can have, `[limits]`."""
        parts = [group.costs.min(axis=1) for group in self.groups]
        return np.array([math.fsum(part) for part in zip(self.constants, *parts, strict=True)])

    def of(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Return the costs of an architecture, `[limits]`.

        Args:
            chosen: Index of the category of each variable, `[variables]`.
        """
        parts = [group.costs[:, group.option(chosen)] for group in self.groups]
        return np.array([math.fsum(part) for part in zip(self.constants, *parts, strict=True)])

    def keep(self, chosen: Sequence[int]) -> bool:
        """Return True if an architecture keeps all limits; see `of`."""
        return bool((self.of(chosen) <= self.at_most).all())

    def of_weighted(self, weights: Sequence[NDArray[np.float64]]) -> GroupedCosts:
        """Return the costs in which a combination of weight 0 is above every limit.

        Args:
            weights: Weights of the categories of each variable, `[categories]` each.
        """
        groups = []
        for group in self.groups:
            known = zip(group.variables, group.options.T, strict=True)
            possible = np.all([weights[v][categories] > 0 for v, categories in known], axis=0)
            groups.append(replace(group, costs=np.where(possible, group.costs, np.inf)))
        return replace(self, groups=tuple(groups))


def grouped(
    limits: Mapping[str, Limit],
    values: Mapping[str, Sequence[Any] | None],
    fixed: Mapping[str, Any],
) -> GroupedCosts:
    """Return additive costs as sums over independent groups of variables.

    Args:
        limits: Limits of additive costs, by name.
        values: Values of the categories of each variable by its name, in the order of the
            variables; None for a variable without categories.
        fixed: Parameters that have one value only.

    Raises:
        SettingsError: A cost names a parameter that is not searched, or has no cost for one of its
            values. Or the terms of the costs tie too many parameters together.
    """
    terms = [
        (row, name, term)
        for row, (name, limit) in enumerate(limits.items())
        if isinstance(limit.cost, AdditiveCost)
        for term in limit.cost.terms
    ]
    places = {name: index for index, name in enumerate(values)}
    leaders = list(range(len(places)))  # of the variables that terms tie together

    def leader(variable: int) -> int:
        while leaders[variable] != variable:
            variable = leaders[variable]
        return variable

    used = set()
    for _, limit, term in terms:
        _check_parameters(limit, term.parameters, values, fixed)
        variables = [places[name] for name in term.parameters if name in places]
        used.update(variables)
        for one, other in itertools.pairwise(variables):
            low, high = sorted((leader(one), leader(other)))
            leaders[high] = low
    members: dict[int, list[int]] = {}
    for variable in sorted(used):
        members.setdefault(leader(variable), []).append(variable)
    constants = np.array([limit.cost.constant for limit in limits.values()], dtype=np.float64)  # type: ignore[union-attr]
    names = list(values)
    groups = []
    for variables in members.values():
        known = [values[names[v]] or () for v in variables]
        sizes = tuple(map(len, known))
        size = math.prod(sizes)
        if size > _MOST_OPTIONS:
            raise SettingsError(
                f"the costs tie {', '.join(names[v] for v in variables)} together, which have "
                f"{size:,} combinations, more than {_MOST_OPTIONS:,}: pass the cost as a function"
            )
        options = np.array(list(itertools.product(*map(range, sizes))))
        groups.append(CostGroup(tuple(variables), sizes, options, np.zeros((len(limits), size))))
    of_variable = {v: group for group in groups for v in group.variables}
    for row, limit, term in terms:
        own = [places[name] for name in term.parameters if name in places]
        if not own:
            constants[row] += _cost(limit, term.costs, tuple(fixed[n] for n in term.parameters))
            continue
        group = of_variable[own[0]]
        columns = [group.variables.index(v) for v in own]
        for option, categories in enumerate(group.options[:, columns].tolist()):
            chosen = iter(categories)
            combination = tuple(
                (values[name] or ())[next(chosen)] if name in places else fixed[name]
                for name in term.parameters
            )
            group.costs[row, option] += _cost(limit, term.costs, combination)
    at_most = np.array([limit.at_most for limit in limits.values()], dtype=np.float64)
    return GroupedCosts(tuple(limits), constants, at_most, tuple(groups))


def _check_parameters(
    limit: str,
    parameters: Sequence[str],
    values: Mapping[str, Sequence[Any] | None],
    fixed: Mapping[str, Any],
) -> None:
    for name in parameters:
        if name not in values and name not in fixed:
            raise SettingsError(
                f"limits[{limit!r}] counts parameter {name!r}, which search_space does not have: "
                f"it was made for another space"
            )
        if name in values and values[name] is None:
            raise SettingsError(
                f"limits[{limit!r}] counts parameter {name!r}, which has too many values: give "
                f"it steps, or pass the cost as a function"
            )


def _cost(limit: str, costs: Mapping[tuple[Any, ...], float], values: tuple[Any, ...]) -> float:
    if values not in costs:
        raise SettingsError(
            f"limits[{limit!r}] has no cost for {values}, which search_space allows: it was made "
            f"for another space"
        )
    return costs[values]
