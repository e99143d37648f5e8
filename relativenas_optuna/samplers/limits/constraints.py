"""The constraints of a trial that say how far its costs are from the limits."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from optuna.study._constrained_optimization import _CONSTRAINTS_KEY

from relativenas_optuna.samplers.limits.within import fixed_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.limits.limits import Limits

PREFIX = "limit on "


def constraint_attributes(
    limits: Limits | None, space: Mapping[str, BaseDistribution] | None, params: Mapping[str, Any]
) -> dict[str, float]:
    """Return the system attributes of a trial that `trial.set_constraint` would write.

    The constraint `limit on NAME` is (cost - limit) / limit, so that it is at most 0 if the limit
    is kept.

    Args:
        limits: Limits of the search; None without limits.
        space: Distributions of all parameters of the search.
        params: Parameters of the trial. If one is missing, or has a value without a known cost,
            there are no attributes.
    """
    if limits is None:
        return {}
    known = fixed_values(space or {}) | dict(params)
    with suppress(KeyError, ValueError):
        return {
            f"{_CONSTRAINTS_KEY}:{PREFIX}{name}": violation
            for name, violation in limits.violations(known).items()
        }
    return {}
