"""The populations of studies, whichever sampler the studies have now.

A claim names its sampler, and `population_class` finds the class of its population among those that
were imported. Importing this module imports those of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.seated_sampler import SeatedTrials
from relativenas_optuna.samplers.seats.claimed_population import checked_claim, start_population
from relativenas_optuna.samplers.seats.population import population_class
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.samplers.seats.sampler import PopulationSampler

if TYPE_CHECKING:
    from collections.abc import Iterable

    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Claim
    from relativenas_optuna.samplers.seats.population import Population

__all__ = [
    "DistributionPopulation",
    "PairedPopulation",
    "SeatedTrials",
    "population_class",
    "population_in",
    "start_population",
    "starting_claim",
]


def starting_claim(trials: Iterable[FrozenTrial]) -> Claim | None:
    """Return the claim that carries the settings of a study's search; None before its first one.

    Args:
        trials: The trials of the study, by rising number.
    """
    claims = map(checked_claim, trials)
    return next((c for c in claims if c is not None and c.settings is not None), None)


def population_in(study: optuna.Study, replay: Replay | None = None) -> Population | None:
    """Return the present generations of a study; None before its first claim.

    Args:
        study: The study, with any sampler.
        replay: A replay of the study that was used before; only new trials are read then.

    Raises:
        SettingsError: The study was started by a sampler that this process does not know.
    """
    if isinstance(study.sampler, PopulationSampler):
        return study.sampler.population(study)
    replay = Replay() if replay is None else replay
    replay.update(study)
    return replay.population
