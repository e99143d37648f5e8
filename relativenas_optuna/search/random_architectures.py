"""Random architectures of a search space, within the limits of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.limits.limits import limits_of
from relativenas_optuna.samplers.limits.within import WithinLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from relativenas_optuna.search.plan import SearchPlan

_KEYS = 2**62  # of redraws


def random_architecture(
    space: Any, limited: WithinLimits | None, rng: np.random.Generator, *key: int
) -> Any:
    """Draw an architecture of a space, uniformly among those within the limits.

    Args:
        space: Search space.
        limited: Positions within the limits; None without limits.
        rng: Random generator of the first draw.
        key: Numbers, different for each draw of a search, that give the draws after it.
    """
    if limited is None:
        return space.random(rng)
    encoding = Encoding.of(space.distributions)
    anywhere = rng.uniform(encoding.low, encoding.high)
    return space.genotype(limited.params(limited.drawn(anywhere, *key)))


def uniform_paths(plan: SearchPlan, space: Any) -> Callable[[np.random.Generator], Any]:
    """Return a function that draws the paths of a search, which keep its limits.

    Args:
        plan: Plan of the search, for its images.
        space: Search space of the plan.
    """
    limited = None
    if plan.limits is not None:
        limits = limits_of(plan.limits.by_name(plan.space, plan.nodes), costs=None)
        limited = None if limits is None else WithinLimits(limits, space.distributions, plan.seed)
    return lambda rng: random_architecture(space, limited, rng, int(rng.integers(_KEYS)))
