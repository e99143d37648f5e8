"""The protocol of a search space, and the choice of an architecture by a trial."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

A = TypeVar("A", bound=Hashable)
"""Type of the architectures of a space: hashable values, equal if they compute the same."""

_A_co = TypeVar("_A_co", bound=Hashable, covariant=True)


class Space(Protocol[A]):
    """A set of architectures that a search chooses from.

    `CellSpace` and `NASBench201` are spaces. Your own space needs no base class. Its architectures
    are hashable values. Three methods are optional: `most_likely`, see `MostLikely`;
    `descriptors`, numbers for a model of the scores, see `Described`; and `canonical`, which tells
    architectures that compute the same, see `Canonical`. Test your space, together with its
    supernet, by `relativenas_optuna.networks.check_supernet`.

    A space may have one attribute more, ``cost_groups``: tuples of names of its parameters, each
    name in one of them. The cost of an architecture is then a sum over the groups, see
    `relativenas_optuna.networks.network_costs`. Without it each parameter is a group.

    Example:
        >>> from optuna.distributions import IntDistribution
        >>> class Depths:
        ...     distributions = {"depth": IntDistribution(1, 4)}
        ...     def genotype(self, params): return params["depth"]
        ...     def params(self, genotype): return {"depth": genotype}
        ...     def text(self, genotype): return str(genotype)
        ...     def parse(self, text): return int(text)
        ...     def random(self, rng): return int(rng.integers(1, 5))
        >>> import optuna
        >>> trial = optuna.trial.FixedTrial({"depth": 3})
        >>> suggest(Depths(), trial)
        3
    """

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """Distributions of a trial's parameters by name, in the order of the suggestions."""

    def genotype(self, params: Mapping[str, Any], /) -> A:
        """Return the architecture of a trial's parameters; parameters of other names are ignored.

        Raises:
            ValueError: A parameter is missing, or its value is not in its distribution.
        """

    def params(self, genotype: A, /) -> dict[str, Any]:
        """Return the parameters that `genotype` turns into this architecture.

        Raises:
            ValueError: The architecture is not in the space.
        """

    def text(self, genotype: A, /) -> str:
        """Return a short text that `parse` reads, for attributes of trials and for checkpoints."""

    def parse(self, text: str, /) -> A:
        """Return the architecture of a text that `text` returned.

        Raises:
            ValueError: The text is not an architecture of the space.
        """

    def random(self, rng: np.random.Generator, /) -> A:
        """Draw an architecture with the random numbers of `rng`."""


@runtime_checkable
class MostLikely(Protocol[_A_co]):
    """A space that has its own most likely architecture, which need not be that of each parameter.

    The method is optional for a `Space`; see `most_likely`.
    """

    def most_likely(self, probabilities: Mapping[str, Mapping[Any, float]], /) -> _A_co:
        """Return the most likely architecture.

        Args:
            probabilities: Probability of each value, by parameter; a parameter with a single value
                may be missing.
        """


def most_likely(
    space: Space[A],
    probabilities: Mapping[str, Mapping[Any, float]],
    params: Mapping[str, Any],
) -> A:
    """Return the architecture that a search by a distribution ends with.

    Args:
        space: The search space.
        probabilities: Probability of each value, by parameter, for a space that is `MostLikely`.
        params: The most likely value of each parameter, for any other space.
    """
    if isinstance(space, MostLikely):
        own: A = space.most_likely(probabilities)
        return own
    return space.genotype(params)


class Suggests(Protocol):
    """A trial that suggests values: `optuna.Trial`, `optuna.trial.FixedTrial` and others."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of `choices`."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number from `low` to `high`."""

    def suggest_float(
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        """Return a number from `low` to `high`."""


_MEMBERS = ("distributions", "genotype", "params", "text", "parse", "random")


def check_space(space: object) -> None:
    """Raise if an object lacks a part of the protocol of a space.

    Raises:
        TypeError: A part is missing; the message names it.
    """
    missing = [name for name in _MEMBERS if not hasattr(space, name)]
    if missing or isinstance(space, type):
        lacks = f"lacks {', '.join(missing)}" if missing else "is a class, so make one of it"
        raise TypeError(
            f"space must be a CellSpace or have {', '.join(_MEMBERS)} (see spaces.Space); "
            f"{_short(space)} {lacks}"
        )


def suggest(space: Space[A], trial: Suggests) -> A:
    """Let a trial choose an architecture: one call of `suggest_...` for each distribution.

    Raises:
        TypeError: A distribution is not categorical, integer or float.
        ValueError: The space does not accept the suggested values.
    """
    return space.genotype(
        {
            name: _suggested(trial, name, distribution)
            for name, distribution in space.distributions.items()
        }
    )


def _suggested(trial: Suggests, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(name, low, high, step=step, log=log)
    raise TypeError(
        f"distribution of {name} must be a CategoricalDistribution, an IntDistribution or a "
        f"FloatDistribution of Optuna, got {_short(distribution)}"
    )


def finite_values(distribution: BaseDistribution) -> Sequence[Any]:
    """Return the values of a parameter in their order; none if their number is not finite."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case IntDistribution(low=low, high=high, step=step):
            return range(low, high + 1, step)
        case FloatDistribution(low=low, high=high, step=float(step)):
            # As Optuna's samplers compute them, to the last bit.
            count = round((high - low) / step) + 1
            return [min(low + number * step, high) for number in range(count)]
    return ()


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_choice(params: Mapping[str, Any], name: str, choices: Sequence[Any]) -> Any:
    """Return the choice that equals a parameter's value, so that 1.0 of a file becomes 1.

    Raises:
        ValueError: The parameter is missing, or its value is not one of `choices`.
    """
    if name not in params:
        raise ValueError(f"params must hold {name}, got none of that name")
    try:
        return choices[choices.index(params[name])]
    except ValueError:
        raise ValueError(
            f"{name} must be one of {', '.join(map(str, choices))}, got {params[name]!r}"
        ) from None
