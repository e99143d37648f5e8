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

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import interval, is_value_of
from relativenas_optuna.samplers.relative_nas.surrogate.settings import OFF, PLAIN, Screening

PRESETS = ("plain", "paper", "random")
MAX_SEED = 2**32 - 1
DEFAULT_POPULATION_SIZE = 20
PLAIN_POPULATION_SIZE = 8  # with one objective, where scores are kept and moves are screened
MAX_POPULATION_SIZE = 100_000
_SHOWN = 200  # characters of a distribution in a message
_MAP = "map parameter names to Optuna distributions"


@dataclass(frozen=True)
class Settings:
    """What a study's search was begun with.

    Attributes:
        population_size: Members per generation, even and at least 2.
        seed: From 0 to 2**32 - 1.
        preset: A name of `PRESETS`.
        space: The search space, its order included; `None` learns it from the trials.
        warm_start: Numbers of the trials of others that the first seats start from; `None` where
            that was not asked for.
        screening: How moves are chosen; a study of preset "plain" that was begun before there was
            any goes on without.
    """

    population_size: int
    seed: int
    preset: str
    space: Mapping[str, BaseDistribution] | None = None
    warm_start: tuple[int, ...] | None = None
    screening: Screening = OFF

    @property
    def keeps_scores(self) -> bool:
        """Whether a fast learner keeps its score, and is not scored anew in each generation."""
        return self.preset == "plain"

    @property
    def avoids_repeats(self) -> bool:
        """Whether no architecture is proposed that was scored two generations ago or earlier."""
        return self.preset == "plain"

    @property
    def makes_extras(self) -> bool:
        """True if a trial for which no seat is free is an extra one, and scores no seat again."""
        return self.preset == "plain"

    @property
    def learns(self) -> bool:
        """Whether slow learners move toward fast ones; else every member is drawn anew."""
        return self.preset != "random"

    def describes(self, params: Mapping[str, Any]) -> bool:
        """Whether parameters are an architecture of the search space; of one that is learned: yes.

        It may have other parameters as well.
        """
        return all(
            name in params and is_value_of(distribution, params[name])
            for name, distribution in (self.space or {}).items()
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
            "warm_start": None if self.warm_start is None else list(self.warm_start),
            "screening": self.screening.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """The settings that `to_json` wrote, from whoever wrote them.

        Raises:
            Exception: They are something else, of any type.
        """
        size, seed, preset = data["population_size"], data["seed"], data["preset"]
        if None in (size, seed, preset):
            raise SettingsError("a study's settings must be complete")
        space, warm_start = data["space"], data["warm_start"]
        space = space and {name: json_to_distribution(text) for name, text in space}
        Arguments(size, seed, preset, space)
        if warm_start is not None and not all(_is_whole(n) and n >= 0 for n in warm_start):
            raise SettingsError("warm_start must be numbers of trials")
        return cls(
            population_size=size,
            seed=seed,
            preset=preset,
            space=space,
            warm_start=None if warm_start is None else tuple(warm_start),
            screening=Screening(**data.get("screening", {})),
        )


@dataclass(frozen=True)
class Arguments:
    """What a sampler was asked for; `None` takes what the study was begun with."""

    population_size: int | None = None
    seed: int | None = None
    preset: str | None = None
    space: Mapping[str, BaseDistribution] | None = None
    warm_start: bool | None = None
    screening: Screening | None = None

    def __post_init__(self) -> None:
        size: object = self.population_size
        if size is not None and (
            not _is_whole(size) or size % 2 or not 2 <= size <= MAX_POPULATION_SIZE
        ):
            raise SettingsError(
                f"population_size must be an even number from 2 to {MAX_POPULATION_SIZE}, for "
                f"members learn in pairs; got {size!r}"
            )
        seed: object = self.seed
        if seed is not None and not (_is_whole(seed) and 0 <= seed <= MAX_SEED):
            raise SettingsError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}")
        if self.preset is not None and self.preset not in PRESETS:
            raise SettingsError(f"preset must be one of {', '.join(PRESETS)}; got {self.preset!r}")
        warm_start: object = self.warm_start
        if not isinstance(warm_start, bool | None):
            raise SettingsError(f"warm_start must be True or False; got {warm_start!r}")
        space: object = self.space
        if space is not None and not isinstance(space, Mapping):
            raise SettingsError(f"search_space must {_MAP}; got {space!r}")
        for name, distribution in (space or {}).items():
            _check_parameter(name, distribution)

    def begin(self, random_seed: int, objectives: int = 1) -> Settings:
        """The settings of a new search; `random_seed` is taken where no seed was asked for."""
        preset = self.preset or PRESETS[0]
        screened = preset == "plain" and objectives == 1
        size = PLAIN_POPULATION_SIZE if screened else DEFAULT_POPULATION_SIZE
        return Settings(
            population_size=self.population_size or size,
            seed=random_seed if self.seed is None else self.seed,
            preset=preset,
            space=self.space,
            warm_start=() if self.warm_start else None,
            screening=(self.screening or PLAIN) if screened else OFF,
        )

    def check_agrees_with(self, begun: Settings, study_name: str) -> None:
        """Raise `SettingsError` where this asks for other than what the study was begun with."""
        stored: dict[str, Any] = {
            "population_size": begun.population_size,
            "seed": begun.seed,
            "preset": begun.preset,
            "warm_start": begun.warm_start is not None,
        }
        for name, value in stored.items():
            asked = getattr(self, name)
            if asked not in (None, value):
                raise SettingsError(
                    f"{name}={asked!r} does not fit study {study_name!r}, which was begun with "
                    f"{name}={value!r}: pass that or leave it out, or take a new study"
                )
        if self.space is not None and _ordered(self.space) != _ordered(begun.space):
            raise SettingsError(
                f"search_space does not fit study {study_name!r}: "
                f"{_difference(self.space, begun.space)}; pass the first search space, or none "
                f"to go on with it, or take a new study"
            )


def _check_parameter(name: object, distribution: object) -> None:
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


def _ordered(
    space: Mapping[str, BaseDistribution] | None,
) -> list[tuple[str, BaseDistribution]] | None:
    return None if space is None else list(space.items())


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
                f"parameter {name!r} is {_short(asked.get(name))} here and "
                f"{_short(begun.get(name))} in the study"
            )
    return "its parameters come in another order"


def _short(distribution: BaseDistribution | None) -> str:
    text = "absent" if distribution is None else str(distribution)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
