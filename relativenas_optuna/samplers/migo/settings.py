"""Settings of a MIGO search, and the arguments that a user gave for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.migo.categories import CategorySpace
from relativenas_optuna.samplers.seats.settings import (
    DEFAULT_POPULATION_SIZE,
    PopulationArguments,
    PopulationSettings,
    common_settings,
    is_whole,
    random_seed,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.limits.limits import Limits

_OWN = ("fair_sampling", "pruning_interval", "bins", "step", "momentum")
_LEAST_SIZE = 6  # trials of a sweep by default, if its parameters have few categories
_MAX_BINS = 1_000
_MAX_INTERVAL = 2**31
_MAX_STEP = 100  # far beyond the step that decides all variables at once


@dataclass(frozen=True)
class MIGOSettings(PopulationSettings):
    """The settings of one search, which its trials carry.

    Attributes:
        population_size: Trials of a sweep, from 1.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters, in the order of the variables; None
            learns the search space from the trials.
        fair_sampling: True if a sweep uses all categories of a variable equally often.
        pruning_interval: Number of updates from one pruning to the next; 0 never prunes.
        bins: Number of bins of a parameter with more values, 2 to 1,000.
        step: Length of an update in the Fisher metric, above 0, at most 100.
        momentum: Weight of the velocity before, from 0 to below 1.
    """

    fair_sampling: bool = True
    pruning_interval: int = 5
    bins: int = 10
    step: float = 1.0
    momentum: float = 0.5

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return super().to_json() | {name: getattr(self, name) for name in _OWN}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MIGOSettings:
        """Return the settings in JSON data, which anybody may have written.

        Raises:
            Exception: One of `stored_json.UNREADABLE`: the data are not settings of this sampler.
        """
        values = common_settings(data) | required(data, *_OWN)
        MIGOArguments(**values)
        return cls(**values)


@dataclass(frozen=True)
class MIGOArguments(PopulationArguments):
    """Arguments of `MIGOSampler`; None takes the setting that the study has.

    Attributes:
        population_size: Trials of a sweep, from 1.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        space: Names and distributions of the parameters.
        fair_sampling: True if a sweep uses all categories of a variable equally often.
        pruning_interval: Number of updates from one pruning to the next; 0 never prunes.
        bins: Number of bins of a parameter with more values, 2 to 1,000.
        step: Length of an update in the Fisher metric, above 0, at most 100.
        momentum: Weight of the velocity before, from 0 to below 1.
    """

    fair_sampling: bool | None = None
    pruning_interval: int | None = None
    bins: int | None = None
    step: float | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        fair: object = self.fair_sampling
        if not isinstance(fair, bool | None):
            raise SettingsError(f"fair_sampling must be True or False; got {fair!r}")
        _check_whole("pruning_interval", self.pruning_interval, 0, _MAX_INTERVAL)
        _check_whole("bins", self.bins, 2, _MAX_BINS)
        step, momentum = self.step, self.momentum
        if step is not None and not (_is_number(step) and 0 < step <= _MAX_STEP):
            raise SettingsError(f"step must be a number above 0, at most {_MAX_STEP}; got {step!r}")
        if momentum is not None and not (_is_number(momentum) and 0 <= momentum < 1):
            raise SettingsError(f"momentum must be a number from 0 to below 1; got {momentum!r}")
        if (
            self.space is not None
            and self.population_size is not None
            and self._value("fair_sampling")
        ):
            self._check_sweep(self.space, self.population_size)

    def new_settings(self, study: Study) -> MIGOSettings:
        """Return the settings of a search that starts in a study."""
        size = DEFAULT_POPULATION_SIZE
        if self.space is not None:
            most = self.least_population_size(self.space)
            size = most * math.ceil(_LEAST_SIZE / most)
        return MIGOSettings(
            population_size=self.population_size or size,
            seed=random_seed() if self.seed is None else self.seed,
            space=self.space,
            limits=self.limits,
            **{name: self._value(name) for name in _OWN},
        )

    def stored(self, settings: PopulationSettings) -> dict[str, Any]:
        """Return the value of each argument, except the space, by a study's settings."""
        return super().stored(settings) | {name: getattr(settings, name) for name in _OWN}

    def least_population_size(self, space: Mapping[str, BaseDistribution]) -> int:
        """Return the largest number of categories of a parameter, all of which a sweep uses."""
        return max(self._counts(space).values(), default=1)

    def _value(self, name: str) -> Any:
        """Return an argument, or its default in a new study."""
        value = getattr(self, name)
        if value is None and name == "pruning_interval" and self.fair_sampling is False:
            return 0  # the probabilities alone lead the search to the best categories
        return getattr(MIGOSettings, name) if value is None else value

    def _counts(self, space: Mapping[str, BaseDistribution]) -> dict[str, int]:
        """Return the number of categories of each parameter with more than one value."""
        encoding = Encoding.of(space)
        categories = CategorySpace(encoding, self._value("bins"), exact_in(self.limits))
        return dict(zip(categories.variables, categories.counts, strict=True))

    def _check_sweep(self, space: Mapping[str, BaseDistribution], size: int) -> None:
        """Raise `SettingsError` if a sweep is too small to use every category."""
        counts = self._counts(space)
        name = max(counts, key=lambda name: counts[name], default="")
        if name and size < counts[name]:
            raise SettingsError(
                f"population_size={size} is less than the {counts[name]} categories of parameter "
                f"{name!r}, and a sweep of fair sampling uses each of them: pass "
                f"population_size={counts[name]} or more, or fair_sampling=False"
            )


def exact_in(limits: Limits | None) -> frozenset[str]:
    """Return the names of the parameters that need a category for each value, by the limits."""
    known = {} if limits is None else limits.additive
    return frozenset(name for limit in known.values() for name in limit.parameters)


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if value is not None and not (is_whole(value) and low <= value <= high):
        raise SettingsError(f"{name} must be a whole number from {low} to {high}; got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
