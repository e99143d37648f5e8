"""The settings that make a search what it is. They travel with its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
    json_to_distribution,
)

from relativenas_optuna.samplers.encoding import interval

PRESETS = ("paper",)
MAX_SEED = 2**32 - 1
_MAP = "map parameter names to Optuna distributions"


class SettingsError(ValueError):
    """An argument that is out of range, or is not what the study was begun with."""


@dataclass(frozen=True)
class Settings:
    """What a sampler was asked for.

    Attributes:
        population_size: Members per generation, even and at least 2.
        seed: From 0 to 2**32 - 1; `None` takes the study's, or a random one for a new study.
        preset: A name of `PRESETS`.
        space: The search space, its order included; `None` learns it from the trials.
    """

    population_size: int
    seed: int | None
    preset: str
    space: Mapping[str, BaseDistribution] | None

    def __post_init__(self) -> None:
        size: object = self.population_size
        if not _is_whole(size) or size < 2 or size % 2:
            raise SettingsError(
                f"population_size must be an even number of at least 2, for members learn in "
                f"pairs; got {size!r}"
            )
        seed: object = self.seed
        if seed is not None and not (_is_whole(seed) and 0 <= seed <= MAX_SEED):
            raise SettingsError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}")
        if self.preset not in PRESETS:
            raise SettingsError(f"preset must be one of {', '.join(PRESETS)}; got {self.preset!r}")
        space: object = self.space
        if space is not None and not isinstance(space, Mapping):
            raise SettingsError(f"search_space must {_MAP}; got {space!r}")
        for name, distribution in (space or {}).items():
            if not isinstance(name, str) or not isinstance(distribution, BaseDistribution):
                raise SettingsError(f"search_space must {_MAP}; {name!r} is {distribution!r}")
            try:
                interval(distribution)
            except (ValueError, OverflowError) as error:
                raise SettingsError(f"search_space[{name!r}]: {error}") from None
            if not _travels(distribution):
                raise SettingsError(
                    f"search_space[{name!r}] travels with the trials as JSON, so choices must be "
                    f"None, bool, int, float or str; got {distribution}"
                )

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON data."""
        space = self.space
        return {
            "population_size": self.population_size,
            "seed": self.seed,
            "preset": self.preset,
            # A list: JSON objects of some storages do not keep the order of their keys.
            "space": space and [[name, distribution_to_json(space[name])] for name in space],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """The settings that `to_json` wrote."""
        space = data["space"]
        return cls(
            population_size=data["population_size"],
            seed=data["seed"],
            preset=data["preset"],
            space=space and {name: json_to_distribution(text) for name, text in space},
        )

    def check_agrees_with(self, stored: Settings, study_name: str) -> None:
        """Raise `SettingsError` where this asks for other than what the study was begun with."""
        for name in ("population_size", "seed", "preset"):
            asked, begun = getattr(self, name), getattr(stored, name)
            if asked != begun and not (name == "seed" and asked is None):
                raise SettingsError(
                    f"{name}={asked!r} does not fit study {study_name!r}, which was begun with "
                    f"{name}={begun!r}: pass that, or take a new study"
                )
        if self.space is not None and self._ordered() != stored._ordered():
            raise SettingsError(
                f"search_space does not fit study {study_name!r}: "
                f"{_difference(self.space, stored.space)}; pass the first search space, or none "
                f"to go on with it, or take a new study"
            )

    def _ordered(self) -> list[tuple[str, BaseDistribution]] | None:
        return None if self.space is None else list(self.space.items())


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _travels(distribution: BaseDistribution) -> bool:
    """Whether a distribution comes back from JSON as it was; a choice that is a tuple does not."""
    choices = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
    return all(isinstance(choice, str | int | float | None) for choice in choices)


def _difference(
    asked: Mapping[str, BaseDistribution], begun: Mapping[str, BaseDistribution] | None
) -> str:
    if begun is None:
        return "the study was begun without one"
    for name in [*asked, *begun]:
        if asked.get(name) != begun.get(name):
            return (
                f"parameter {name!r} is {asked.get(name, 'absent')} here and "
                f"{begun.get(name, 'absent')} in the study"
            )
    return "its parameters come in another order"
