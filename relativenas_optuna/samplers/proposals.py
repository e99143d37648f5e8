"""What a study proposes for a seat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.logging import get_logger

from relativenas_optuna.samplers.draws import spread, uniform
from relativenas_optuna.samplers.intervals import decode, interval, is_value_of
from relativenas_optuna.samplers.settings import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.claims import Seat
    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.population import Population
    from relativenas_optuna.samplers.seating import Seating

_logger = get_logger("optuna.samplers.relative_nas")  # obeys Optuna's verbosity


def proposal_at(study: Study, seating: Seating, seat: Seat) -> tuple[Encoding, NDArray[np.float64]]:
    """The position `[variables]` that a seat is to score.

    Raises:
        SettingsError: It cannot be known.
    """
    proposal = _population(study, seating).proposal(seat)
    if proposal is None:  # claimed by another process
        seating.replay.update(study)
        proposal = _population(study, seating).proposal(seat)
    if proposal is None:
        raise SettingsError(
            f"study {study.study_name!r} has a trial at seat {seat.number} of generation "
            f"{seat.generation}, which cannot have been given out yet; were its trials copied "
            f"from another study? Take a new study"
        )
    return proposal


def is_space_known(study: Study, seating: Seating, seat: Seat) -> bool:
    """Whether there is a search space for a seat's generation."""
    proposal_at(study, seating, seat)
    return _population(study, seating).is_space_known(seat)


def draw(
    study: Study, seating: Seating, seat: Seat, name: str, distribution: BaseDistribution
) -> Any:
    """A value that depends on seed, generation, seat and name alone.

    Where the seat is to start from an earlier trial it is that one's.
    """
    population = _population(study, seating)
    start = population.start_params(seat)
    if name in start and is_value_of(distribution, start[name]):
        return start[name]
    low, high = interval(distribution)
    settings = population.settings
    if settings.screening.spread:
        drawn = spread(settings.seed, seat.generation, name, settings.population_size)
        x = float(drawn[seat.number])
    else:
        x = uniform(settings.seed, seat.generation, seat.number, name)
    return decode(distribution, low + x * (high - low))


def warn_of_independent_draw(trial: FrozenTrial, name: str, sampler: BaseSampler | None) -> None:
    """Warn, as Optuna's samplers do, of a parameter that the search does not cover."""
    how = "evenly" if sampler is None else f"by {type(sampler).__name__}"
    _logger.warning(
        f"Parameter {name!r} of trial {trial.number} is drawn {how}, for it is not common to the "
        f"trials before, or not in the search space, or has another distribution there; "
        f"RelativeNASSampler does not search it. `warn_independent_sampling=False` turns this "
        f"warning off."
    )


def _population(study: Study, seating: Seating) -> Population:
    replay = seating.replay
    if replay.population is None:  # claimed by another process
        replay.update(study)
    assert replay.population is not None
    return replay.population
