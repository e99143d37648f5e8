"""Populations by the claims of their trials, which name the sampler and carry its settings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seats.claims import Claim
from relativenas_optuna.samplers.seats.population import population_class
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.samplers.seats.settings import PopulationArguments
    from relativenas_optuna.samplers.seats.trial_reader import TrialReader


def partner_of(claim: Claim) -> Seat | None:
    """Return the other seat of the pair of a claim's seat.

    Returns:
        None for an extra trial, and if the sampler has no pairs or `population_class` does not
        know it.
    """
    known = population_class(claim.sampler)
    if claim.seat is None or known is None or not known.has_pairs:
        return None
    return claim.seat.partner


def checked_claim(trial: FrozenTrial) -> Claim | None:
    """Return a trial's claim; None if it has none, or settings that its sampler does not write."""
    claim = Claim.read(trial.system_attrs)
    if claim is None or claim.settings is None:
        return claim
    known = population_class(claim.sampler)
    with suppress(*UNREADABLE):
        if known is not None:
            known.settings_class.from_json(claim.settings)
        return claim
    return None


def start_population(
    claim: Claim,
    directions: Sequence[StudyDirection],
    trials: TrialReader | Sequence[FrozenTrial],
    study_name: str,
    given: PopulationArguments | None = None,
) -> Population:
    """Return the population of the search whose settings a claim carries, without any trial.

    Args:
        claim: A claim with settings.
        directions: Directions of the study.
        trials: The trials of the study by number.
        study_name: Name of the study.
        given: Arguments that this process was given, for functions, which are not stored.

    Raises:
        SettingsError: The class of the population is not known, see `population_class`.
    """
    known = population_class(claim.sampler)
    if known is None:
        raise SettingsError(
            f"study {study_name!r} was started by {claim.sampler}, which this process does not "
            f"know: import the module that defines it"
        )
    assert claim.settings is not None
    settings = known.settings_class.from_json(claim.settings).with_functions(given)
    return known.starting(settings, directions, trials)
