"""Choices of categories within additive limits."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.limits.cost_groups import grouped
from relativenas_optuna.samplers.limits.grid import CostGrid, pick
from relativenas_optuna.samplers.limits.nearest import least_together, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from relativenas_optuna.samplers.limits.cost_groups import GroupedCosts
    from relativenas_optuna.samplers.limits.grid import GridDraws
    from relativenas_optuna.samplers.limits.limits import Limits

    Vector = NDArray[np.float64]
    Whole = NDArray[np.int64]

_ATTEMPTS = 200  # draws under one limit until one keeps the others too


class LimitedChoices:
    """The architectures of finite variables that keep the additive limits of a search.

    Args:
        limits: The limits; functions among them are not counted here.
        values: Values of the categories of each variable by its name; None for a variable without
            categories, which no additive limit may count.
        fixed: Parameters that have one value only.

    Attributes:
        costs: The additive costs over the variables.
    """

    def __init__(
        self,
        limits: Limits,
        values: Mapping[str, Sequence[Any] | None],
        fixed: Mapping[str, Any],
    ) -> None:
        self._variables = len(values)
        self.costs = grouped(limits.additive, values, fixed)

    def check(self) -> None:
        """Raise if no architecture keeps the limits.

        Raises:
            SettingsError: A limit is below the least cost, or the limits contradict each other.
        """
        costs = self.costs
        for name, least, at_most in zip(costs.names, costs.least, costs.at_most, strict=True):
            if least > at_most:
                raise SettingsError(
                    f"limits[{name!r}] must be at least {_text(least)}, the least cost of the "
                    f"search space; got {_text(at_most)}"
                )
        if nearest(costs, [0] * self._variables) is not None:
            return
        for row, name in enumerate(costs.names):
            together = least_together(costs, row)
            if together is not None:
                raise SettingsError(
                    f"limits[{name!r}] must be at least {_text(together)}, or no architecture "
                    f"keeps the limits of {', '.join(n for n in costs.names if n != name)} too; "
                    f"got {_text(costs.at_most[row])}"
                )
        raise SettingsError(
            f"limits of {', '.join(costs.names)} contradict each other: no architecture keeps all "
            f"of them, so raise some"
        )

    def keep(self, chosen: Sequence[int]) -> bool:
        """Return True if an architecture keeps the additive limits.

        Args:
            chosen: Index of the category of each variable, `[variables]`; of a variable without
                categories any number.
        """
        return self.costs.keep(chosen)

    def is_possible(self, weights: Sequence[Vector]) -> bool:
        """Return True if an architecture whose weights are above 0 keeps the additive limits.

        Args:
            weights: Weights of the categories of each variable, `[categories]` each.
        """
        return nearest(self.costs.of_weighted(weights), [0] * self._variables) is not None

    def nearest(self, chosen: Sequence[int]) -> list[int]:
        """Return the nearest architecture within the additive limits; see `nearest.nearest`."""
        found = nearest(self.costs, chosen)
        return self._known if found is None else found

    @cached_property
    def _known(self) -> list[int]:
        """An architecture within the additive limits, which exists by `check`."""
        found = nearest(self.costs, [0] * self._variables)
        if found is None:
            raise SettingsError("limits contradict each other: no architecture keeps all of them")
        return found

    def draws(self, weights: Sequence[Vector], uses: Sequence[Whole]) -> LimitedDraws:
        """Return random architectures within the additive limits.

        Args:
            weights: Weights of the categories of each variable, at least 0, `[categories]` each.
            uses: How often each category was used more than the least-used one of its variable,
                `[categories]` each; see `CostGrid.tables`.
        """
        return LimitedDraws(self.costs, self._grid, weights, uses)

    @cached_property
    def _grid(self) -> CostGrid | None:
        """The grid of the limit that the fewest architectures seem to keep; None without one."""
        costs = self.costs
        if not costs.names:
            return None
        mean = sum((group.costs.mean(axis=1) for group in costs.groups), start=costs.constants)
        above, room = mean - costs.least, costs.at_most - costs.least
        shares = np.divide(room, above, out=np.full(len(room), np.inf), where=above > 0)
        return CostGrid(costs, int(np.argmin(shares)))


class LimitedDraws:
    """Random architectures within additive limits, for given weights.

    With one limit a draw is exact up to the grid of `CostGrid`. With several, draws under the
    tightest one are repeated until all limits are kept: first with the use counts, then without
    them. If that fails 200 times each, or no architecture is within the limit on the grid, the
    nearest architecture to the last draw is taken.

    Args:
        costs: The costs and limits.
        grid: Grid of the tightest limit; None without limits.
        weights: See `LimitedChoices.draws`.
        uses: See `LimitedChoices.draws`.

    """

    def __init__(
        self,
        costs: GroupedCosts,
        grid: CostGrid | None,
        weights: Sequence[Vector],
        uses: Sequence[Whole],
    ) -> None:
        self._costs, self._grid, self._weights = costs, grid, weights
        self._variables = [v for group in costs.groups for v in group.variables]
        self._draws = self._tables(uses)

    def draw(self, random: np.random.Generator) -> dict[int, int]:
        """Draw an architecture.

        Returns:
            The index of the category of each variable that changes a cost.

        Raises:
            ValueError: No architecture within the limits has a weight above 0.
        """
        if self._grid is None:
            return {}
        draws = self._draws
        for attempt in range(2 * _ATTEMPTS):
            if attempt == _ATTEMPTS:
                draws = self._tables([np.zeros(len(w), np.int64) for w in self._weights])
            if draws is None:
                break
            drawn = draws.draw(random)
            if self._costs.keep(self._chosen(drawn)):
                return drawn
        return self._nearest(random)

    def nearest_draw(self, random: np.random.Generator) -> dict[int, int]:
        """Return one draw under the tightest limit, or the nearest architecture to it.

        For use counts with which only one architecture can be drawn; see `draw` for the rest.
        """
        return {} if self._grid is None else self._nearest(random)

    def _tables(self, uses: Sequence[Whole]) -> GridDraws | None:
        """Return draws under the tightest limit; None if the grid has no architecture."""
        try:
            return None if self._grid is None else self._grid.tables(self._weights, uses)
        except ValueError:
            return None

    def _chosen(self, drawn: Mapping[int, int]) -> list[int]:
        return [drawn.get(variable, 0) for variable in range(len(self._weights))]

    def _nearest(self, random: np.random.Generator) -> dict[int, int]:
        if self._draws is not None:
            drawn = self._draws.draw(random)
        else:
            # Without any weight above 0 the index is one too large, and nothing is found below.
            drawn = {
                v: min(pick(self._weights[v], float(random.random())), len(self._weights[v]) - 1)
                for v in self._variables
            }
        found = nearest(self._costs.of_weighted(self._weights), self._chosen(drawn))
        if found is None:
            raise ValueError("no architecture within the limits has a weight above 0")
        return {variable: found[variable] for variable in self._variables}


def _text(cost: float) -> str:
    return f"{cost:,.0f}" if float(cost).is_integer() else f"{cost:,.6g}"
