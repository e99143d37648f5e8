"""Samplers for Optuna studies, and views of their searches.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import SettingsError
    from relativenas_optuna.samplers.migo.sampler import MIGOSampler
    from relativenas_optuna.samplers.regularized_evolution import RegularizedEvolutionSampler
    from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
    from relativenas_optuna.samplers.relative_nas.surrogate.trusted_trial import trusted_trial
    from relativenas_optuna.samplers.search_view import SearchView
    from relativenas_optuna.samplers.seats.claims import Seat, seat_of
    from relativenas_optuna.samplers.seats.population import Population, Proposal
    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.samplers.seats.settings import PopulationArguments, PopulationSettings
    from relativenas_optuna.samplers.seats.whole_generations import WholeGenerations

__all__ = [
    "MIGOSampler",
    "Population",
    "PopulationArguments",
    "PopulationSampler",
    "PopulationSettings",
    "Proposal",
    "RegularizedEvolutionSampler",
    "RelativeNASSampler",
    "SearchView",
    "Seat",
    "SettingsError",
    "WholeGenerations",
    "seat_of",
    "trusted_trial",
]

_HOMES = {
    "WholeGenerations": "samplers.seats.whole_generations",
    "Proposal": "samplers.seats.population",
    "PopulationSettings": "samplers.seats.settings",
    "PopulationSampler": "samplers.seats.sampler",
    "PopulationArguments": "samplers.seats.settings",
    "Population": "samplers.seats.population",
    "MIGOSampler": "samplers.migo.sampler",
    "RegularizedEvolutionSampler": "samplers.regularized_evolution",
    "RelativeNASSampler": "samplers.relative_nas.sampler",
    "SearchView": "samplers.search_view",
    "Seat": "samplers.seats.claims",
    "SettingsError": "exceptions",
    "seat_of": "samplers.seats.claims",
    "trusted_trial": "samplers.relative_nas.surrogate.trusted_trial",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
