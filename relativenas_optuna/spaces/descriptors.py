"""Numbers that describe an architecture at no cost, for models that predict its quality."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction
from relativenas_optuna.spaces.protocol import Space

_A_contra = TypeVar("_A_contra", bound=Hashable, contravariant=True)

DescriptorFunction: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, float]]
"""A function from the parameters of a trial to finite numbers by name, always the same names."""


@runtime_checkable
class Described(Protocol[_A_contra]):
    """A space that describes its architectures by numbers.

    The method is optional for a `Space`; see `space_descriptors`.
    """

    def descriptors(self, genotype: _A_contra, /) -> Mapping[str, float]:
        """Return numbers that may tell good architectures from bad ones, by name.

        They are finite, have the same names for every architecture, and take no training: counts
        of operations, lengths of paths and the like. Architectures that compute the same should
        have the same numbers. Unit and scale do not matter, nor whether more is better.
        """


def space_descriptors(
    space: Space[Any], costs: Mapping[str, AdditiveCost | CostFunction] | None = None
) -> DescriptorFunction | None:
    """Return the descriptors of a space's architectures as a function of a trial's parameters.

    These are the numbers of the method `descriptors` of the space, if it has one, and the natural
    logarithm of 1 plus each cost, as "log parameters" for the cost "parameters".

    Args:
        space: Search space.
        costs: Costs by name, for example of `networks.network_costs`.

    Returns:
        The function, for the argument `descriptors` of `RelativeNASSampler`; None if there is
        no number that describes an architecture.

    Example:
        >>> from relativenas_optuna.spaces import NASBench201
        >>> space = NASBench201()
        >>> cell = space.parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
        >>> describe = space_descriptors(space)
        >>> describe(space.params(cell))["nor_conv_3x3"]
        1.0
    """
    if not isinstance(space, Described) and not costs:
        return None

    return _SpaceDescriptors(space, dict(costs or {}))


@dataclass(frozen=True)
class _SpaceDescriptors:
    """Descriptors of the architectures of a space, with their costs."""

    space: Space[Any]
    costs: Mapping[str, AdditiveCost | CostFunction]

    def __call__(self, params: Mapping[str, Any]) -> dict[str, float]:
        # Not isinstance, which is slow for a protocol.
        own: Callable[[Any], Mapping[str, float]] | None = getattr(self.space, "descriptors", None)
        found = {} if own is None else dict(own(self.space.genotype(params)))
        for name, cost in self.costs.items():
            amount = cost.of(params) if isinstance(cost, AdditiveCost) else cost(params)
            found[f"log {name}"] = math.log1p(amount)
        return found
