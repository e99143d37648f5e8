"""The sampler of `relativenas ask`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.migo.sampler import MIGOSampler
from relativenas_optuna.samplers.migo.settings import MIGOArguments
from relativenas_optuna.samplers.populations import starting_claim
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.settings import Arguments
from relativenas_optuna.search.defaults import MIGO, RELATIVENAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study
    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.samplers.seats.settings import PopulationArguments

NAMES = (RELATIVENAS, MIGO)


class AskedSampler(NamedTuple):
    """A sampler and the arguments that it was made with.

    Attributes:
        sampler: The sampler.
        arguments: The arguments; one that is None takes the study's stored value.
    """

    sampler: PopulationSampler
    arguments: PopulationArguments


def asked_sampler(
    study: Study,
    name: str | None = None,
    *,
    space: Mapping[str, BaseDistribution] | None = None,
    preset: str | None = None,
    **common: Any,
) -> AskedSampler:
    """Return the sampler that a command asks for.

    Args:
        study: The study.
        name: "relativenas" or "migo"; None for the sampler that started the study, and in a new
            study "relativenas".
        space: Names and distributions of the parameters; None for those of the study.
        preset: Preset of "relativenas"; None for that of the study.
        common: Arguments that both samplers have, `population_size` and `seed`.

    Raises:
        SettingsError: An argument is out of range, or the sampler has no presets.
    """
    if name is None:
        claim = starting_claim(study.get_trials(deepcopy=False))
        migo = claim is not None and claim.sampler == MIGOSampler.population_class.sampler
        name = MIGO if migo else RELATIVENAS
    if name == RELATIVENAS:
        return AskedSampler(
            RelativeNASSampler(space, preset=preset, **common),
            Arguments(space=space, preset=preset, **common),
        )
    if preset is not None:
        raise SettingsError(f"sampler {MIGO!r} has no presets: leave out preset {preset!r}")
    return AskedSampler(MIGOSampler(space, **common), MIGOArguments(space=space, **common))
