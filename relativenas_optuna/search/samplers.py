"""The samplers of a search by the names that `--sampler` takes."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from relativenas_optuna._utils.dotted_names import is_dotted, load_dotted
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.samplers.migo.sampler import MIGOSampler
from relativenas_optuna.samplers.migo.settings import MIGOArguments
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.samplers.regularized_evolution import RegularizedEvolutionSampler
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seated_sampler import SeatedSampler
from relativenas_optuna.samplers.seats.sampler import PopulationSampler
from relativenas_optuna.search.defaults import (
    MIGO,
    RANDOM,
    REGULARIZED_EVOLUTION,
    RELATIVENAS,
    SAMPLERS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.spaces.costs import Limit
    from relativenas_optuna.spaces.descriptors import DescriptorFunction

_NUMBERS_ONLY = "draws categories at random instead of searching them"
_ENDS_ITSELF = "lists the whole search space, and ends the search itself"
# Samplers of Optuna that no search can use, each with the reason.
_UNFIT = {
    "CmaEsSampler": _NUMBERS_ONLY,
    "QMCSampler": _NUMBERS_ONLY,
    "BruteForceSampler": _ENDS_ITSELF,
    "GridSampler": _ENDS_ITSELF,
}


def sampler_named(
    name: str,
    space: Mapping[str, BaseDistribution],
    *,
    population: int,
    generations: int,
    seed: int,
    limits: Mapping[str, Limit] | None = None,
    scores_compare: bool = False,
    descriptors: DescriptorFunction | None = None,
) -> PopulationSampler:
    """Return the sampler of a search.

    A class MODULE:CLASS gets the arguments `seed`, `search_space` and `population_size`, as far as
    its constructor takes them. Its trials get seats, see `SeatedSampler`, if it gives them none.

    Args:
        name: "relativenas", "migo", "regularized-evolution", "random", or MODULE:CLASS of a sampler
            of Optuna.
        space: Distributions of the parameters.
        population: Members of a generation.
        generations: Number of generations.
        seed: Seed of all random numbers, 0 to 2**32 - 1.
        limits: Limits that every proposal keeps; see `check_keeps_limits`.
        scores_compare: True if all scores are from the same weights, so that a fast learner of
            "relativenas" may keep its score (preset "plain" in place of "paper").
        descriptors: Descriptors of architectures for the model of preset "plain"; None for none.

    Raises:
        SearchError: No sampler has that name, or it cannot search this space in these generations.
        SettingsError: No architecture keeps the limits.
    """
    arguments: dict[str, Any] = {"search_space": space, "population_size": population, "seed": seed}
    if limits:
        check_keeps_limits(name)
        arguments["limits"] = limits
    if name in (RELATIVENAS, RANDOM):
        if population % 2:
            raise SearchError(
                f"population must be even with sampler {name!r}, because members form pairs; got "
                f"{population}"
            )
        # Scores of shared weights that change soon go out of date: "paper" keeps none.
        preset = "plain" if scores_compare else "paper"
        preset = "random" if name == RANDOM else preset
        return RelativeNASSampler(
            **arguments, preset=preset, descriptors=descriptors if preset == "plain" else None
        )
    if name == MIGO:
        _check_sweep(space, population)
        return MIGOSampler(**arguments)
    if name == REGULARIZED_EVOLUTION:
        # Its population is the latest 10 trials, whatever the size of a generation of seats.
        evolution = RegularizedEvolutionSampler(space, seed=seed, limits=limits or None)
        _check_learns(name, evolution, population * generations)
        return SeatedSampler(
            evolution.with_key,
            space,
            population_size=population,
            seed=seed,
            proposer=type(evolution).__name__,
            limits=evolution.limits,
        )
    found = _class_named(name)
    if issubclass(found, PopulationSampler):
        _check_takes_population(name, found)
        sampler: PopulationSampler = _made(name, found, arguments)
        return sampler
    _check_fits(name, found, space)
    first: BaseSampler = _made(name, found, arguments)
    _check_learns(name, first, population * generations)
    # Optuna's samplers keep their state in the study, a class of the user may keep it in memory.
    anew = found.__module__.partition(".")[0] == "optuna"
    return SeatedSampler(
        lambda key: _made(name, found, arguments | {"seed": key}) if anew else first,
        space,
        population_size=population,
        seed=seed,
        proposer=found.__name__,
    )


def check_keeps_limits(name: str) -> None:
    """Raise `SearchError` if the sampler of that name cannot propose within limits."""
    if name in SAMPLERS:
        return
    found = _class_named(name)
    takes = "limits" in inspect.signature(found).parameters
    if not issubclass(found, PopulationSampler) or not takes:
        raise SearchError(
            f"sampler {name!r} cannot keep limits, because it proposes architectures above them: "
            f"take one of {', '.join(SAMPLERS)}, or leave the limits out"
        )


def least_population(name: str, space: Mapping[str, BaseDistribution]) -> int:
    """Return the least number of members of a generation that a sampler needs in a space."""
    return MIGOArguments().least_population_size(space) if name == MIGO else 1


def check_same_sampler(study: optuna.Study, sampler: PopulationSampler, name: str) -> None:
    """Raise if another population sampler than that of the plan started a search in a study.

    Args:
        study: The study.
        sampler: Sampler of the plan.
        name: Name of that sampler in the plan.

    Raises:
        SearchError: Trials of the study name another sampler.
    """
    started = population_in(study)
    if started is not None and started.sampler != sampler.population_class.sampler:
        raise SearchError(
            f"sampler {name!r} does not fit study {study.study_name!r}, which "
            f"{started.sampler_name} started: give that sampler, or take another --study"
        )


def _class_named(name: str) -> type[BaseSampler]:
    if not is_dotted(name):
        raise SearchError(
            f"sampler must be one of {', '.join(SAMPLERS)}, or MODULE:CLASS of a sampler of "
            f"Optuna, such as optuna.samplers:TPESampler; got {name[:100]!r}"
        )
    try:
        found = load_dotted(name, "sampler")
    except ImportError as error:
        raise SearchError(str(error)) from error
    if not (inspect.isclass(found.value) and issubclass(found.value, BaseSampler)):
        kind = f"class {found.value.__name__}" if inspect.isclass(found.value) else found.kind
        raise SearchError(f"{found.where} must be a sampler class of Optuna; got {kind}")
    return found.value


def _check_sweep(space: Mapping[str, BaseDistribution], population: int) -> None:
    least = least_population(MIGO, space)
    if population < least:
        raise SearchError(
            f"population must be at least {least} with sampler {MIGO!r}, because a generation uses "
            f"every choice of every parameter, and one has {least}; got {population}"
        )


def _check_takes_population(name: str, found: type[BaseSampler]) -> None:
    if "population_size" not in inspect.signature(found).parameters:
        raise SearchError(
            f"sampler {name!r} must take the argument population_size, because the search sets "
            f"the number of members of a generation"
        )


def _check_fits(name: str, found: type[BaseSampler], space: Mapping[str, BaseDistribution]) -> None:
    reason = _UNFIT.get(found.__name__) if found.__module__.startswith("optuna.") else None
    categories = any(isinstance(d, CategoricalDistribution) for d in space.values())
    if reason == _ENDS_ITSELF or (reason == _NUMBERS_ONLY and categories):
        raise SearchError(
            f"sampler {name!r} cannot search this space, because it {reason}: take another one, "
            f"such as optuna.samplers:TPESampler"
        )


def _check_learns(name: str, sampler: BaseSampler, trials: int) -> None:
    first = getattr(sampler, "_n_startup_trials", 0)
    if isinstance(first, int) and first >= trials:
        raise SearchError(
            f"sampler {name!r} draws its first {first} trials at random, and this search has only "
            f"{trials}: give more --generations, or --sampler {RANDOM}"
        )


def _made(name: str, found: type[Any], arguments: Mapping[str, Any]) -> Any:
    """Return a sampler made with those of the arguments that its constructor takes."""
    parameters = inspect.signature(found).parameters
    needed = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in arguments
    ]
    if needed:
        raise SearchError(
            f"sampler {name!r} needs the argument {needed[0]}, but a search gives only "
            f"{', '.join(arguments)}: derive a class that sets it"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # the user named the class
            return found(**{key: value for key, value in arguments.items() if key in parameters})
    except Exception as error:  # a class of the user can raise anything
        reason = " ".join(str(error).split())[:200]
        raise SearchError(
            f"sampler {name!r} cannot be made, {type(error).__name__}: {reason}"
        ) from error
