"""Order architectures for the network that the result of a search is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna.search.finals.halving import with_size
from relativenas_optuna.search.finals.settings import FULL
from relativenas_optuna.search.known_costs import known_costs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.objective.supernet_objective import SupernetObjective


def for_target(
    objective: SupernetObjective[Any], architectures: Sequence[Any], *, target: str
) -> list[Any]:
    """Return architectures in the order for a target, the best first.

    The target "full" orders by the sum of the given rank and twice the rank by the number of
    parameters. The given order stays for the target "small", and where the numbers of parameters of
    the space are not known.

    Args:
        objective: Objective of the search.
        architectures: Architectures in the order of a score, the best first.
        target: "small" or "full".
    """
    size = known_costs(objective).get("parameters")
    if target != FULL or size is None:
        return list(architectures)
    sizes = [round(size.of(objective.space.params(one))) for one in architectures]
    return [architectures[n] for n in with_size(range(len(sizes)), sizes)]
