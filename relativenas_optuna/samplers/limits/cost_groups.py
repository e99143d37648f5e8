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

    from relativenas_optuna.spaces.costs import CostTerm, Limit

_FORBIDDEN = 1e30  # above every sum of costs, which are at most 1e18 each
_MOST_OPTIONS = 20_000  # combinations of the variables of one group


@dataclass(frozen=True)
class CostGroup:
    """Variables whose values together decide a part of the costs.

    Attributes:
        variables: Indices of the variables, ascending, `[v]`.
        sizes: Numbers of their categories, `[v]`.
        options: All combinations of their categories, the last one fastest, `[options, v]`.
        costs: Part of each limited cost for each combination, `[limits, options]`.
        terms: The summands of these parts, `[terms, options]` for each limit.
    """

    variables: tuple[int, ...]
    sizes: tuple[int, ...]
    options: NDArray[np.intp]
    costs: NDArray[np.float64]
    terms: tuple[NDArray[np.float64], ...]

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
        fixed_terms: The summands of these parts, for each limit.
        at_most: Largest allowed costs, `[limits]`.
        groups: The groups; a variable that changes no cost is in none.
    """

    names: tuple[str, ...]
    constants: NDArray[np.float64]
    fixed_terms: tuple[tuple[float, ...], ...]
    at_most: NDArray[np.float64]
    groups: tuple[CostGroup, ...]

    @property
    def least(self) -> NDArray[np.float64]:
        """The least value that each cost alone can have, `[limits]`."""
        cheapest = [group.costs.argmin(axis=1).tolist() for group in self.groups]
        return np.array([self._sum(row, [o[row] for o in cheapest]) for row in self._rows])

    def of(self, chosen: Sequence[int]) -> NDArray[np.float64]:
        """Return the costs of an architecture, `[limits]`.

        Args:
            chosen: Index of the category of each variable, `[variables]`.
        """
        options = [group.option(chosen) for group in self.groups]
        return np.array([self._sum(row, options) for row in self._rows])

    @property
    def _rows(self) -> range:
        return range(len(self.names))

    def _sum(self, row: int, options: Sequence[int]) -> float:
        """Return one cost for a combination of each group, to the bits of `AdditiveCost.of`."""
        parts = list(self.fixed_terms[row])
        for group, option in zip(self.groups, options, strict=True):
            parts += group.terms[row][:, option].tolist()
        return math.fsum(parts)

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
            excess = np.where(possible, 0.0, _FORBIDDEN)
            terms = tuple(rows + excess for rows in group.terms)
            groups.append(replace(group, costs=group.costs + excess, terms=terms))
        # A limit may be larger than any cost.
        at_most = np.minimum(self.at_most, _FORBIDDEN / 2)
        return replace(self, at_most=at_most, groups=tuple(groups))


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
    fixed_terms = [[limit.cost.constant] for limit in limits.values()]  # type: ignore[union-attr]
    names = list(values)
    of_group: dict[int, list[tuple[int, str, CostTerm]]] = {first: [] for first in members}
    for row, name, term in terms:
        own = [places[parameter] for parameter in term.parameters if parameter in places]
        if own:
            of_group[leader(own[0])].append((row, name, term))
        else:
            fixed_terms[row].append(_cost(name, term, fixed))
    groups = tuple(
        _group(
            {v: (names[v], values[names[v]] or ()) for v in own},
            of_group[first],
            len(limits),
            fixed,
        )
        for first, own in members.items()
    )
    at_most = np.array([limit.at_most for limit in limits.values()], dtype=np.float64)
    return GroupedCosts(
        names=tuple(limits),
        constants=np.array([math.fsum(parts) for parts in fixed_terms], dtype=np.float64),
        fixed_terms=tuple(map(tuple, fixed_terms)),
        at_most=at_most,
        groups=groups,
    )


def _group(
    variables: Mapping[int, tuple[str, Sequence[Any]]],
    terms: Sequence[tuple[int, str, CostTerm]],
    limits: int,
    fixed: Mapping[str, Any],
) -> CostGroup:
    """Return the costs of the combinations of variables that terms tie together.

    Args:
        variables: Name and values of each variable by its index, ascending.
        terms: The terms, each with the index and the name of its limit.
        limits: Number of limits.
        fixed: See `grouped`.
    """
    known = list(variables.values())
    sizes = tuple(len(own) for _, own in known)
    if math.prod(sizes) > _MOST_OPTIONS:
        raise SettingsError(
            f"the costs tie {', '.join(name for name, _ in known)} together, which have "
            f"{math.prod(sizes):,} combinations, more than {_MOST_OPTIONS:,}: pass the cost as a "
            f"function"
        )
    options = list(itertools.product(*map(range, sizes)))
    params = [
        {name: own[i] for (name, own), i in zip(known, option, strict=True)} for option in options
    ]
    rows: list[list[list[float]]] = [[] for _ in range(limits)]
    for row, limit, term in terms:
        rows[row].append([_cost(limit, term, {**fixed, **one}) for one in params])
    parts = tuple(np.array(costs).reshape(-1, len(options)) for costs in rows)
    costs = np.array([[math.fsum(column) for column in part.T.tolist()] for part in parts])
    return CostGroup(tuple(variables), sizes, np.array(options), costs, parts)


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


def _cost(limit: str, term: CostTerm, params: Mapping[str, Any]) -> float:
    values = tuple(params[name] for name in term.parameters)
    if values not in term.costs:
        raise SettingsError(
            f"limits[{limit!r}] has no cost for {values}, which search_space allows: it was made "
            f"for another space"
        )
    return term.costs[values]
