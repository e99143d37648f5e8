"""A search space whose parameters decide which others are suggested: 11 architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

if TYPE_CHECKING:
    import optuna

CONDITIONAL: dict[str, BaseDistribution] = {
    "kind": CategoricalDistribution(["x", "n", "none"]),
    "x": IntDistribution(0, 3),
    "n": IntDistribution(0, 3),
    "more": IntDistribution(0, 2),
}


def conditional_loss(trial: optuna.Trial) -> float:
    """Suggest one of two parameters, and for one of its values a third one; return a loss."""
    kind = str(trial.suggest_categorical("kind", ["x", "n", "none"]))
    if kind == "none":
        return 5.0
    value = trial.suggest_int(kind, 0, 3)
    return float(value + (trial.suggest_int("more", 0, 2) if (kind, value) == ("n", 1) else 0))
