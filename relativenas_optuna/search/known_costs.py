"""The costs and descriptors of the architectures of a search, as far as they are known."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.spaces.descriptors import DescriptorFunction, space_descriptors

if TYPE_CHECKING:
    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.spaces.costs import AdditiveCost


def known_costs(objective: SupernetObjective[Any]) -> dict[str, AdditiveCost]:
    """Return the costs of stand-alone networks at the supernet's size; none if they are no sums."""
    with suppress(SpaceError, ValueError):
        return objective.costs
    return {}


def descriptors_of(objective: SupernetObjective[Any]) -> DescriptorFunction | None:
    """Return the descriptors of an objective's space, with the costs that are known."""
    return space_descriptors(objective.space, known_costs(objective))
