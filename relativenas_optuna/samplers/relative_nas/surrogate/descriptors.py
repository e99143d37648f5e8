"""Descriptors of architectures: numbers that the model of the scores takes as inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.intervals import decode, interval
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.spaces.descriptors import DescriptorFunction

    Vector = NDArray[np.float64]
    Distributions = Mapping[str, BaseDistribution]

_MOST = 1000  # descriptors of an architecture
_REFERENCE = 256  # random architectures, whose descriptors give the scales
_PURPOSE = 9  # of the random numbers of these architectures
_LARGEST = 1e100  # so that squares do not overflow


@dataclass(frozen=True)
class Descriptors:
    """The descriptors of a search.

    Attributes:
        names: Names of the descriptors, in the order of their values.
        function: Function from parameters to descriptors by name; None in a process that was not
            given it, which can only look at the study.
    """

    names: tuple[str, ...]
    function: DescriptorFunction | None = None

    @classmethod
    def of(cls, function: DescriptorFunction, space: Distributions) -> Descriptors:
        """Return the descriptors that a function gives for the architectures of a search space.

        Raises:
            SettingsError: The function fails for an architecture, or returns something else than
                finite numbers by name.
        """
        params = next(iter(_random_params(space, 1)))
        found: object = _called(function, params)
        if not isinstance(found, Mapping) or not 1 <= len(found) <= _MOST:
            raise SettingsError(
                f"descriptors must return 1 to {_MOST} numbers by name; for {_short(params)} the "
                f"result is {_short(found)}"
            )
        if not all(isinstance(name, str) for name in found):
            raise SettingsError(f"descriptors must have names; got {_short(list(found))}")
        descriptors = cls(tuple(found), function)
        descriptors.values(params)
        return descriptors

    def values(self, params: Mapping[str, Any]) -> list[float]:
        """Return the descriptors of an architecture in the order of their names.

        Raises:
            SettingsError: See `of`.
        """
        assert self.function is not None
        found = _called(self.function, params)
        try:
            values = [float(found[name]) for name in self.names]
        except (KeyError, TypeError, ValueError):
            values = []
        if len(found) != len(values) or not all(abs(value) < _LARGEST for value in values):
            raise SettingsError(
                f"descriptors must return finite numbers for {', '.join(self.names)}; for "
                f"{_short(params)} the result is {_short(found)}"
            )
        return values

    def scales(self, space: Distributions) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of each descriptor over random architectures.

        Args:
            space: Distributions of the parameters.

        Returns:
            Two arrays `[descriptors]`, the same in every process; the deviation is 1 for a
            descriptor that is the same for all of these architectures.
        """
        columns = list(
            zip(*(self.values(params) for params in _random_params(space, _REFERENCE)), strict=True)
        )
        means = [math.fsum(column) / _REFERENCE for column in columns]
        variances = [
            math.fsum((value - mean) ** 2 for value in column) / _REFERENCE
            for column, mean in zip(columns, means, strict=True)
        ]
        return np.array(means), np.array([math.sqrt(variance) or 1.0 for variance in variances])

    def check_same(self, stored: Descriptors | None, study_name: str) -> None:
        """Raise `SettingsError` if these descriptors are not those of a study.

        Args:
            stored: Descriptors of the study; None if it was started without any.
            study_name: Name of the study.
        """
        if stored is None:
            raise SettingsError(
                f"descriptors do not fit study {study_name!r}, which was started without any: "
                f"leave them out, or take a new study"
            )
        if stored.names != self.names:
            raise SettingsError(
                f"descriptors {', '.join(self.names)} do not fit study {study_name!r}, which was "
                f"started with {', '.join(stored.names)}: pass those, or take a new study"
            )

    def check_given(self, study_name: str) -> None:
        """Raise `SettingsError`, since these descriptors of a study were not given."""
        raise SettingsError(
            f"descriptors must be given to continue study {study_name!r}, because they are a "
            f"function, which is not stored: pass the function of its start (it returns "
            f"{', '.join(self.names)})"
        )


def _random_params(space: Distributions, number: int) -> Sequence[dict[str, Any]]:
    """Return the parameters of random architectures, the same at each call."""
    drawn = keyed_generator(0, _PURPOSE).random((number, len(space)))
    return [
        {
            name: decode(distribution, low + share * (high - low))
            for (name, distribution), (low, high), share in zip(
                space.items(), map(interval, space.values()), row, strict=True
            )
        }
        for row in drawn.tolist()
    ]


def _called(function: DescriptorFunction, params: Mapping[str, Any]) -> Mapping[str, float]:
    try:
        return function(params)
    except Exception as error:  # a function of the user can raise anything
        raise SettingsError(
            f"descriptors failed for {_short(params)}, {type(error).__name__}: {_short(str(error))}"
        ) from error


def _short(value: object) -> str:
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
