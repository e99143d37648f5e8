"""The limits of a search, by name, as its trials carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.spaces.costs import AdditiveCost, CostFunction, Limit, check_limit

_MOST = 16  # limits of one search


@dataclass(frozen=True)
class NotGiven:
    """Stands for a cost function that another process has and this one was not given.

    Attributes:
        name: Name of the limit.
    """

    name: str

    def __call__(self, params: Mapping[str, Any]) -> float:
        """Raise `SettingsError`."""
        raise SettingsError(
            f"limits[{self.name!r}] of the study is a function, which is not stored: pass the "
            f"same limits as the process that started the study"
        )


@dataclass(frozen=True)
class Limits:
    """The limits of a search.

    Attributes:
        by_name: The limits by the names of their costs.
    """

    by_name: Mapping[str, Limit]

    @property
    def additive(self) -> dict[str, Limit]:
        """The limits whose cost is a sum, by name."""
        return {n: x for n, x in self.by_name.items() if isinstance(x.cost, AdditiveCost)}

    @property
    def functions(self) -> dict[str, Limit]:
        """The limits whose cost is a function that this process has, by name."""
        return {
            name: limit
            for name, limit in self.by_name.items()
            if not isinstance(limit.cost, AdditiveCost | NotGiven)
        }

    @property
    def lack_functions(self) -> bool:
        """True if this process was not given a function of the limits."""
        return len(self.additive) + len(self.functions) < len(self.by_name)

    def costs(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Return the costs of the architecture with these parameters, by name.

        Functions that this process was not given are left out.
        """
        return {
            name: limit.of(params)
            for name, limit in self.by_name.items()
            if not isinstance(limit.cost, NotGiven)
        }

    def violations(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Return how far each cost is above its limit, as a share of the limit, by name.

        The values are those of a constraint of Optuna: at most 0 if the limit is kept.
        """
        limits = self.by_name
        return {
            name: (cost - limits[name].at_most) / limits[name].at_most
            for name, cost in self.costs(params).items()
        }

    def are_kept(self, params: Mapping[str, Any]) -> bool:
        """Return True if no cost is above its limit."""
        return all(cost <= self.by_name[n].at_most for n, cost in self.costs(params).items())

    def with_functions(self, given: Limits | None) -> Limits:
        """Return these limits with the functions of others, where they have none."""
        known = {} if given is None else given.functions
        return Limits(
            {
                name: Limit(known[name].cost, limit.at_most)
                if isinstance(limit.cost, NotGiven) and name in known
                else limit
                for name, limit in self.by_name.items()
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the limits as JSON data; a function is not part of them."""
        return {
            name: {
                "at_most": limit.at_most,
                "cost": limit.cost.to_json() if isinstance(limit.cost, AdditiveCost) else None,
            }
            for name, limit in self.by_name.items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Limits:
        """Return the limits in JSON data, which anybody may have written.

        Raises:
            Exception: One of `stored_json.UNREADABLE`: the data are not limits.
        """
        if not 1 <= len(data) <= _MOST:
            raise ValueError(f"limits must be 1 to {_MOST}")
        return cls({name: _limit_in(name, stored) for name, stored in data.items()})

    def check_same(self, stored: Limits | None, study_name: str) -> None:
        """Raise `SettingsError` if these limits are not those of a study.

        Args:
            stored: Limits of the study; None if it has none.
            study_name: Name of the study.
        """
        others = {} if stored is None else stored.by_name
        asked = {name: limit.at_most for name, limit in self.by_name.items()}
        known = {name: limit.at_most for name, limit in others.items()}
        if asked != known:
            raise SettingsError(
                f"limits={asked} does not fit study {study_name!r}, which was started with "
                f"{f'limits={known}' if known else 'no limits'}: pass those or leave limits out, "
                f"or take a new study"
            )
        for name, data in self.to_json().items():
            if stored is not None and data != stored.to_json()[name]:
                raise SettingsError(
                    f"limits[{name!r}] counts another cost than study {study_name!r} was started "
                    f"with: pass the same cost, or leave limits out, or take a new study"
                )

    def check_given(self, study_name: str) -> None:
        """Raise `SettingsError` if this process lacks a function of the limits."""
        missing = [n for n, limit in self.by_name.items() if isinstance(limit.cost, NotGiven)]
        if missing:
            raise SettingsError(
                f"limits must be given to continue study {study_name!r}, because its limit of "
                f"{missing[0]!r} is a function, which is not stored: pass the limits of its start"
            )


def _limit_in(name: object, stored: Mapping[str, Any]) -> Limit:
    if not isinstance(name, str):
        raise TypeError("a limit must have a name")
    cost = stored["cost"]
    return Limit(
        NotGiven(name) if cost is None else AdditiveCost.from_json(cost), stored["at_most"]
    )


def limits_of(
    limits: Mapping[str, float | Limit] | None,
    costs: Mapping[str, AdditiveCost | CostFunction] | None,
) -> Limits | None:
    """Return the limits that a user gave.

    Args:
        limits: The largest costs by name: a number for a cost of `costs`, or a `Limit`.
        costs: The costs that are known, by name.

    Raises:
        SettingsError: A limit is not a number above 0, or names a cost that is not known.
    """
    known: object = costs
    if known is not None and not isinstance(known, Mapping):
        raise SettingsError(f"costs must map names to costs; got {costs!r}")
    if limits is None:
        return None
    given: object = limits
    if not isinstance(given, Mapping) or not 1 <= len(given) <= _MOST:
        raise SettingsError(f"limits must map 1 to {_MOST} names to numbers; got {limits!r}")
    return Limits({name: _limit(name, limit, costs or {}) for name, limit in limits.items()})


def _limit(
    name: object, given: float | Limit, costs: Mapping[str, AdditiveCost | CostFunction]
) -> Limit:
    if not isinstance(name, str):
        raise SettingsError(f"limits must map names to numbers; got {name!r}")
    if isinstance(given, Limit):
        return given
    try:
        check_limit(f"limits[{name!r}]", given)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if name not in costs:
        known = ", ".join(map(repr, costs)) or "none"
        raise SettingsError(
            f"limits[{name!r}] must limit a known cost, and those of `costs` are {known}: pass "
            f"the cost in costs, or a Limit in place of the number"
        )
    try:
        return Limit(costs[name], given)
    except TypeError as error:
        raise SettingsError(f"costs[{name!r}]: {error}") from None
