"""What a study proposes for a seat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.logging import get_logger

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.relative_nas.extra_trials import draw_extra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.encoding import Encoding
    from relativenas_optuna.samplers.relative_nas.population import Population
    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.seating import Seating

_logger = get_logger("optuna.samplers.relative_nas")  # obeys Optuna's verbosity


class OwnTrial(NamedTuple):
    """A trial that this process runs.

    Attributes:
        number: Of the trial.
        seat: The seat that it scores; `None` for an extra trial.
    """

    number: int
    seat: Seat | None


def proposal_of(
    study: Study, seating: Seating, trial: OwnTrial
) -> tuple[Encoding, NDArray[np.float64]]:
    """Return the position `[variables]` that a trial is to score.

    Raises:
        SettingsError: It cannot be known.
    """
    seat = trial.seat
    if seat is None:
        _population(study, seating)
        return seating.extras.proposal(trial.number)
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


def draw(
    study: Study, seating: Seating, trial: OwnTrial, name: str, distribution: BaseDistribution
) -> Any:
    """Return the value that `Population.draw` gives for a trial's seat.

    That of an extra trial depends on seed, number and name alone.
    """
    proposal_of(study, seating, trial)
    population = _population(study, seating)
    if trial.seat is None:
        return draw_extra(population.settings.seed, trial.number, name, distribution)
    return population.draw(trial.seat, name, distribution)


def will_be_learned(
    study: Study, seating: Seating, name: str, distribution: BaseDistribution
) -> bool:
    """Return True if a parameter outside the search space is searched from the next trials on."""
    return _population(study, seating).searches(name, distribution)


def warn_of_independent_draw(trial: FrozenTrial, name: str, sampler: BaseSampler | None) -> None:
    """Warn, as Optuna's samplers do, of a parameter that the search does not cover."""
    how = "at random" if sampler is None else f"by {type(sampler).__name__}"
    _logger.warning(
        f"RelativeNASSampler does not search parameter {name!r}, which trial {trial.number} draws "
        f"{how}: it is not in search_space, or another trial suggested it with another range or "
        f"other choices. Suggest it with one distribution, or pass "
        f"warn_independent_sampling=False to turn this warning off."
    )


def _population(study: Study, seating: Seating) -> Population:
    replay = seating.replay
    if replay.population is None:  # claimed by another process
        replay.update(study)
    assert replay.population is not None
    return replay.population
