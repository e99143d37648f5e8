"""Costs of an architecture by the parameters of its trial, and limits of these costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

_MOST = 100_000  # combinations of a term, and terms of a cost
_LARGEST = 1e18  # so that sums do not overflow
_KINDS = (bool, int, float, str, type(None))

CostFunction: TypeAlias = Callable[[Mapping[str, Any]], float]
"""A function from the parameters of a trial to the cost of its architecture, at least 0."""


@dataclass(frozen=True)
class CostTerm:
    """One part of a cost, which depends on a few parameters.

    Attributes:
        parameters: Names of the parameters, all different.
        costs: Cost by the values of the parameters, in the order of the names; at least 0.

    Raises:
        ValueError: A name comes twice, a combination does not have one value for each name, or a
            cost is not a number from 0 to 1e18.
    """

    parameters: tuple[str, ...]
    costs: Mapping[tuple[Any, ...], float]

    def __post_init__(self) -> None:
        names: object = self.parameters
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"parameters must be a tuple of names, got {names!r}")
        if len(set(names)) != len(names):
            raise ValueError(f"parameters must not hold a name twice, got {names}")
        costs: object = self.costs
        if not isinstance(costs, Mapping) or not 1 <= len(costs) <= _MOST:
            raise ValueError(f"costs of {names} must map 1 to {_MOST:,} combinations to numbers")
        for values, cost in costs.items():
            if not isinstance(values, tuple) or len(values) != len(names):
                raise ValueError(
                    f"costs of {names} must have a tuple of {len(names)} values for each cost, "
                    f"got {values!r}"
                )
            if not all(isinstance(value, _KINDS) for value in values):
                raise ValueError(f"values must be None, bool, int, float or str, got {values!r}")
            _check_cost(f"the cost of {names} = {values}", cost)
        object.__setattr__(self, "costs", dict(costs))

    def of(self, params: Mapping[str, Any]) -> float:
        """Return the cost by the parameters of a trial.

        Raises:
            ValueError: A parameter is missing, or the term has no cost for its value.
        """
        values = tuple(map(params.get, self.parameters))
        if values not in self.costs:
            raise ValueError(
                f"no cost is known for {dict(zip(self.parameters, values, strict=True))}"
            )
        return self.costs[values]


@dataclass(frozen=True)
class AdditiveCost:
    """A cost that is a sum over the parameters of a trial, or over small groups of them.

    Attributes:
        constant: The part that every architecture has, at least 0.
        terms: The other parts. A parameter may be part of several terms, or of none.

    Raises:
        ValueError: The constant is not a number from 0 to 1e18.

    Example:
        >>> convolution = CostTerm(("op",), {("conv",): 90.0, ("skip",): 0.0})
        >>> cost = AdditiveCost(10.0, (convolution,))
        >>> cost.of({"op": "conv", "lr": 0.1})
        100.0
    """

    constant: float
    terms: tuple[CostTerm, ...]

    def __post_init__(self) -> None:
        _check_cost("constant", self.constant)
        terms: object = self.terms
        if not isinstance(terms, tuple) or not all(isinstance(term, CostTerm) for term in terms):
            raise ValueError(f"terms must be a tuple of CostTerm, got {terms!r}")
        if len(terms) > _MOST:
            raise ValueError(f"terms must be at most {_MOST:,}, got {len(terms):,}")

    def of(self, params: Mapping[str, Any]) -> float:
        """Return the cost of the architecture with these parameters; others are ignored.

        Raises:
            ValueError: A parameter is missing, or no cost is known for its value.
        """
        return math.fsum([self.constant, *(term.of(params) for term in self.terms)])

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters of the terms, in their order, each once."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.parameters))

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest sum of all terms; both exist if no two terms share a parameter."""
        values = [term.costs.values() for term in self.terms]
        return (
            math.fsum([self.constant, *map(min, values)]),
            math.fsum([self.constant, *map(max, values)]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the cost as JSON data."""
        return {
            "constant": self.constant,
            "terms": [
                {
                    "parameters": list(term.parameters),
                    "costs": [[list(values), cost] for values, cost in term.costs.items()],
                }
                for term in self.terms
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> AdditiveCost:
        """Return the cost in JSON data, which anybody may have written.

        Raises:
            ValueError: The data are not a cost.
        """
        try:
            return cls(
                data["constant"],
                tuple(
                    CostTerm(
                        tuple(term["parameters"]),
                        {tuple(values): cost for values, cost in term["costs"]},
                    )
                    for term in data["terms"]
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the data are not an additive cost: {error}") from None


@dataclass(frozen=True)
class Limit:
    """The largest cost that an architecture may have.

    Attributes:
        cost: The cost, as a sum or as a function of the parameters.
        at_most: The largest cost that is allowed, in the unit of the cost, above 0.

    Raises:
        ValueError: `at_most` is not a finite number above 0.
        TypeError: `cost` is neither an `AdditiveCost` nor a function.
    """

    cost: AdditiveCost | CostFunction
    at_most: float

    def __post_init__(self) -> None:
        check_limit("at_most", self.at_most)
        if not isinstance(self.cost, AdditiveCost) and not callable(self.cost):
            raise TypeError(f"cost must be an AdditiveCost or a function, got {self.cost!r}")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that an additive cost counts; none for a function."""
        return self.cost.parameters if isinstance(self.cost, AdditiveCost) else ()

    def of(self, params: Mapping[str, Any]) -> float:
        """Return the cost of the architecture with these parameters.

        Raises:
            ValueError: No cost is known for the parameters, or a function returned something else
                than a number from 0 to 1e18.
        """
        if isinstance(self.cost, AdditiveCost):
            return self.cost.of(params)
        found = self.cost(params)
        _check_cost("the cost that the function returns", found)
        return float(found)


def check_limit(name: str, value: object) -> None:
    """Raise `ValueError` if a limit is not a finite number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number above 0, got {value!r}")


def _check_cost(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LARGEST:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number from 0 to {_LARGEST:g}, got {value!r}")
