"""Settings that every population sampler has, and the arguments that a user gave for them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
    json_to_distribution,
)

from relativenas_optuna._utils.limits import MAX_SEED
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import interval
from relativenas_optuna.samplers.limits.constraints import constraint_attributes
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.samplers.limits.within import WithinLimits

if TYPE_CHECKING:
    import optuna

DEFAULT_POPULATION_SIZE = 20
MAX_POPULATION_SIZE = 100_000
_SHOWN = 200  # characters of a distribution in a message
_MAP = "map parameter names to Optuna distributions"


@dataclass(frozen=True)
class PopulationSettings:
    """The settings of one search, which its trials carry.

    Attributes:
        population_size: Members per generation, from 1.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters, in the order of the variables; None if
            the search space is not known beforehand.
        limits: Limits that every proposal keeps; None without limits.
    """

    population_size: int
    seed: int
    space: Mapping[str, BaseDistribution] | None = None
    limits: Limits | None = field(default=None, kw_only=True)

    def within_limits(self) -> WithinLimits | None:
        """Return the positions that keep the limits; None without limits."""
        if self.limits is None or self.space is None:
            return None
        return WithinLimits(self.limits, self.space, self.seed)

    def constraint_attributes(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Return the system attributes of a trial with its constraints by the limits."""
        return constraint_attributes(self.limits, self.space, params)

    def with_functions(self, given: PopulationArguments | None) -> PopulationSettings:
        """Return the settings with the functions that a process was given, which are not stored."""
        if self.limits is None:
            return self
        known = None if given is None else given.limits
        return replace(self, limits=self.limits.with_functions(known))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        space = self.space
        return {
            "population_size": self.population_size,
            "seed": self.seed,
            # A list: JSON objects of some storages do not keep the order of their keys.
            "space": space and [[name, distribution_to_json(space[name])] for name in space],
            "limits": self.limits and self.limits.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PopulationSettings:
        """Return the settings in JSON data, which anybody may have written.

        Raises:
            Exception: One of `stored_json.UNREADABLE`: the data are not settings of this sampler.
        """
        return cls(**common_settings(data))


def common_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked values of the fields of `PopulationSettings` in JSON data.

    Raises:
        Exception: One of `stored_json.UNREADABLE`: a value is missing or not allowed.
    """
    values, space = required(data, "population_size", "seed"), data["space"]
    values["space"] = space and {name: json_to_distribution(text) for name, text in space}
    limits = None if data["limits"] is None else Limits.from_json(data["limits"])
    if limits is not None:
        WithinLimits(limits, values["space"] or {}, values["seed"])
    values["limits"] = limits
    PopulationArguments(**values)
    return values


def required(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return some values of JSON data by name.

    Raises:
        Exception: One of `stored_json.UNREADABLE`: a value is missing or None.
    """
    values = {name: data[name] for name in names}
    if None in values.values():
        raise SettingsError("a study's settings must be complete")
    return values


@dataclass(frozen=True)
class PopulationArguments:
    """Arguments of a population sampler; None takes the setting that the study has.

    Attributes:
        population_size: Members per generation, from 1.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters.
        limits: Limits that every proposal keeps.
    """

    population_size: int | None = None
    seed: int | None = None
    space: Mapping[str, BaseDistribution] | None = None
    limits: Limits | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, np.number | np.bool_):  # JSON takes Python's numbers only
                object.__setattr__(self, name, value.item())
        if isinstance(self.space, Mapping):
            object.__setattr__(self, "space", dict(self.space))
        self.check_population_size(self.population_size)
        seed: object = self.seed
        if seed is not None and not (is_whole(seed) and 0 <= seed <= MAX_SEED):
            raise SettingsError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}")
        space: object = self.space
        if space is not None and not isinstance(space, Mapping):
            raise SettingsError(f"search_space must {_MAP}; got {space!r}")
        for name, distribution in (space or {}).items():
            _check_parameter(name, distribution)

    def check_population_size(self, size: object) -> None:
        """Raise `SettingsError` if the size of a population is out of range."""
        if size is not None and not (is_whole(size) and 1 <= size <= MAX_POPULATION_SIZE):
            raise SettingsError(
                f"population_size must be a whole number from 1 to {MAX_POPULATION_SIZE}; "
                f"got {size!r}"
            )

    def new_settings(self, study: optuna.Study) -> PopulationSettings:
        """Return the settings of a search that starts in a study."""
        return PopulationSettings(
            population_size=self.population_size or DEFAULT_POPULATION_SIZE,
            seed=random_seed() if self.seed is None else self.seed,
            space=self.space,
            limits=self.limits,
        )

    def check_limits(self) -> None:
        """Raise `SettingsError` if a new search cannot keep the limits."""
        if self.limits is None:
            return
        if self.space is None:
            raise SettingsError(
                "limits need the search space, so that no proposal is above them: pass "
                "search_space too"
            )
        WithinLimits(self.limits, self.space, self.seed or 0).check()

    def stored(self, settings: PopulationSettings) -> dict[str, Any]:
        """Return the value of each argument, except the space, by a study's settings."""
        return {"population_size": settings.population_size, "seed": settings.seed}

    def check_agrees_with(self, settings: PopulationSettings, study_name: str) -> None:
        """Raise `SettingsError` if an argument differs from the setting that the study has."""
        for name, value in self.stored(settings).items():
            asked = getattr(self, name)
            if asked not in (None, value):
                raise SettingsError(
                    f"{name}={asked!r} does not fit study {study_name!r}, which was started with "
                    f"{name}={value!r}: pass that value or leave it out, or take a new study"
                )
        if self.limits is not None:
            self.limits.check_same(settings.limits, study_name)
        elif settings.limits is not None:
            settings.limits.check_given(study_name)
        if self.space is not None and _ordered(self.space) != _ordered(settings.space):
            raise SettingsError(
                f"search_space does not fit study {study_name!r}: "
                f"{_difference(self.space, settings.space)}; pass the study's search space, or "
                f"none to continue with it, or take a new study"
            )


def random_seed() -> int:
    """Return a seed that was not used before, 0 to 2**32 - 1."""
    return secrets.randbits(32)


def is_whole(value: object) -> TypeGuard[int]:
    """Return True if a value is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_parameter(name: object, distribution: object) -> None:
    if not isinstance(name, str) or not isinstance(distribution, BaseDistribution):
        raise SettingsError(f"search_space must {_MAP}; {name!r} is {distribution!r}")
    try:
        interval(distribution)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"search_space[{name!r}]: {error}") from None
    if not _survives_json(distribution):
        raise SettingsError(
            f"search_space[{name!r}] is stored with the trials as JSON, so choices must be "
            f"None, bool, int, float or str; got {distribution}"
        )


def _ordered(
    space: Mapping[str, BaseDistribution] | None,
) -> list[tuple[str, BaseDistribution]] | None:
    return None if space is None else list(space.items())


def _survives_json(distribution: BaseDistribution) -> bool:
    """Return True if a distribution is the same after JSON; a choice that is a tuple is not."""
    choices = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
    return all(isinstance(choice, str | int | float | None) for choice in choices)


def _difference(
    asked: Mapping[str, BaseDistribution], stored: Mapping[str, BaseDistribution] | None
) -> str:
    if stored is None:
        return "the study was started without one"
    for name in [*asked, *stored]:
        if asked.get(name) != stored.get(name):
            return (
                f"parameter {name!r} is {_short(asked.get(name))} here and "
                f"{_short(stored.get(name))} in the study"
            )
    return "its parameters come in another order"


def _short(distribution: BaseDistribution | None) -> str:
    text = "absent" if distribution is None else str(distribution)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
