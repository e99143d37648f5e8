"""Order architectures by the quality that a model predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.relative_nas.surrogate.score_predictor import ScorePredictor
from relativenas_optuna.search.finals.halving import with_size
from relativenas_optuna.search.finals.settings import FULL
from relativenas_optuna.search.known_costs import descriptors_of, known_costs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from relativenas_optuna.objective.supernet_objective import SupernetObjective


def by_prediction(
    objective: SupernetObjective[Any],
    losses: Mapping[Any, float],
    architectures: Sequence[Any],
    *,
    target: str,
) -> list[Any]:
    """Return architectures in the order of their predicted loss, the best first.

    A Gaussian process learns the losses from the choices of an architecture, the descriptors of its
    space and its costs. All losses are of the same shared weights, so they can be
    compared. The target "full" adds the rank by the number of parameters, where the costs of
    the space are known; see `halving.ranking`.

    Args:
        objective: Objective of the search.
        losses: Validation losses by architecture, at least one.
        architectures: Architectures to order.
        target: "small" or "full".
    """
    space = objective.space
    predictor = ScorePredictor(
        space.distributions,
        [space.params(architecture) for architecture in losses],
        list(losses.values()),
        descriptors_of(objective),
    )
    params = [space.params(architecture) for architecture in architectures]
    means = predictor.predict(params)[0]
    order = sorted(range(len(architectures)), key=lambda n: (means[n], n))
    size = known_costs(objective).get("parameters")
    if target == FULL and size is not None:
        sizes = [round(size.of(params[n])) for n in order]
        order = [order[n] for n in with_size(range(len(order)), sizes)]
    return [architectures[n] for n in order]
