"""Costs, cost limits and the second value of an objective, and the directions of its study."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from optuna.study import StudyDirection

from relativenas_optuna.objective.candidate import A

if TYPE_CHECKING:
    import optuna

    from relativenas_optuna.networks.network_cost import Cost, CostLimits
    from relativenas_optuna.objective.candidate import CandidateTrainer

SECONDS = ("parameters", "multiply_adds")


@dataclass(frozen=True)
class Costs:
    """The cost of an architecture, and the decision if it is trained.

    Attributes:
        cost: Parameters and multiply-adds; None if they could not be counted.
        allowed: True if the architecture is within all limits and may be trained.
    """

    cost: Cost | None
    allowed: bool


class Goals(Generic[A]):
    """The values of an objective and the study directions that they need.

    Args:
        trainer: Trainer of the candidates.
        limits: Limits of an architecture's cost.
        second: Cost that is the second value, one of `SECONDS`; None for one value.
        metric: True if the first value is a metric, which may be maximised; False for a loss.
        pruning: True if the study's pruner may end a trial.

    Raises:
        ValueError: `second` is unknown, or is combined with pruning.
    """

    def __init__(
        self,
        trainer: CandidateTrainer[A],
        *,
        limits: CostLimits | None,
        second: str | None,
        metric: bool,
        pruning: bool,
    ) -> None:
        if second is not None and second not in SECONDS:
            raise ValueError(f"second must be one of {', '.join(SECONDS)}; got {second!r}")
        if second is not None and pruning:
            raise ValueError(
                f"pruning must be off with second={second!r}, for Optuna's pruners take studies of "
                f"one direction only; got pruning=True"
            )
        self._trainer = trainer
        self._limits = limits
        self._second = second
        self._metric = metric
        self._countable = True

    def check(self, study: optuna.Study) -> None:
        """Raise if the directions of a study do not match the values.

        Raises:
            ValueError: The directions do not match.
        """
        directions = [direction.name.lower() for direction in study.directions]
        wanted = ["minimize"] + ["minimize"] * (self._second is not None)
        if directions == wanted or (
            self._metric and len(directions) == len(wanted) and directions[1:] == wanted[1:]
        ):
            return
        what = "a loss" if self._second is None else f"a loss and {self._second}"
        raise ValueError(
            f"SupernetObjective gives {what}, so the study must have the "
            f"{'one direction' if len(wanted) == 1 else 'directions'} "
            f"{', '.join(map(repr, wanted))}; {study.study_name!r} has {', '.join(directions)}"
        )

    def count(self, trial: optuna.Trial, genotype: A) -> Costs:
        """Count the cost of an architecture, and store it in its trial.

        Raises:
            ValueError: The cost cannot be counted, but limits or a second value need it.
        """
        if not self._countable:
            return Costs(None, allowed=True)
        try:
            cost = self._trainer.costs.cost(genotype)
        except ValueError as error:
            if self._limits is not None or self._second is not None:
                raise
            self._countable = False
            warnings.warn(f"trials will not say what they cost: {error}", stacklevel=3)
            return Costs(None, allowed=True)
        trial.set_user_attr("parameters", cost.parameters)
        trial.set_user_attr("multiply_adds", cost.multiply_adds)
        if self._limits is None:
            return Costs(cost, allowed=True)
        for name, violation in self._limits.violations(cost).items():
            trial.set_constraint(name, violation)
        return Costs(cost, allowed=self._limits.refusal(cost) is None)

    def values(
        self, study: optuna.Study, loss: float | None, costs: Costs
    ) -> float | tuple[float, float]:
        """Return the values to report to the study.

        Args:
            study: The study.
            loss: Loss or metric of the candidate; None for the worst possible value.
            costs: Costs of the candidate.
        """
        if loss is None:
            loss = -math.inf if study.directions[0] == StudyDirection.MAXIMIZE else math.inf
        if self._second is None:
            return loss
        return loss, float(getattr(costs.cost, self._second))
