"""Order architectures by the quality that a model predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.relative_nas.surrogate.score_predictor import ScorePredictor
from relativenas_optuna.search.finals.target_order import for_target
from relativenas_optuna.search.known_costs import descriptors_of

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
    space and its costs. The target "full" adds twice the rank by the number of parameters;
    see `for_target`.

    Args:
        objective: Objective of the search.
        losses: Validation losses by architecture after equal trainings, at least one; infinite for
            a training that diverged.
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
    return for_target(objective, [architectures[n] for n in order], target=target)
