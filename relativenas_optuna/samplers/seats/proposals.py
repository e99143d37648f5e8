"""Proposals for the trials that this process runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.logging import get_logger

from relativenas_optuna.exceptions import SettingsError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from relativenas_optuna.samplers.seats.claims import Seat
    from relativenas_optuna.samplers.seats.population import ExtraProposals, Population, Proposal
    from relativenas_optuna.samplers.seats.replay import Replay

_logger = get_logger("optuna.samplers.population")  # obeys Optuna's verbosity


class OwnTrial(NamedTuple):
    """A trial that this process runs.

    Attributes:
        number: Number of the trial.
        seat: The seat that the trial scores; None for an extra trial.
    """

    number: int
    seat: Seat | None


class Proposals:
    """Proposals for the trials of one study that this process runs.

    Args:
        replay: The replay of the study.
        extras: Proposals for extra trials; None if the sampler makes none.
    """

    def __init__(self, replay: Replay, extras: ExtraProposals | None) -> None:
        self._replay = replay
        self._extras = extras

    def population(self, study: Study) -> Population:
        """Return the population of the study."""
        if self._replay.population is None:  # claimed by another process
            self._replay.update(study)
        assert self._replay.population is not None
        return self._replay.population

    def proposal(self, study: Study, trial: OwnTrial) -> Proposal:
        """Return the architecture that a trial should score.

        Raises:
            SettingsError: The proposal is not known, since the trial's seat is not open yet.
        """
        population, seat = self.population(study), trial.seat
        if seat is None and self._extras is not None:
            return self._extras.proposal(trial.number)
        proposal = None if seat is None else population.proposal(seat)
        if proposal is None and seat is not None:  # claimed by another process
            self._replay.update(study)
            proposal = self.population(study).proposal(seat)
        if proposal is None:
            place = "as an extra trial"
            if seat is not None:
                place = f"at seat {seat.number} of generation {seat.generation}"
            raise SettingsError(
                f"study {study.study_name!r} has a trial {place}, which cannot have been given "
                f"out yet; were its trials copied from another study? Take a new study"
            )
        return proposal

    def draw(self, study: Study, trial: OwnTrial, name: str, distribution: BaseDistribution) -> Any:
        """Return the value of a parameter that a trial's proposal does not have."""
        self.proposal(study, trial)
        if trial.seat is not None:
            return self.population(study).draw(trial.seat, name, distribution)
        assert self._extras is not None
        return self._extras.draw(trial.number, name, distribution)


def warn_of_independent_draw(
    trial: FrozenTrial, name: str, sampler: str, independent: BaseSampler | None
) -> None:
    """Warn, as Optuna's samplers do, of a parameter that the search does not cover.

    Args:
        trial: The trial.
        name: Name of the parameter.
        sampler: Name of the sampler's class.
        independent: The sampler that draws the parameter; None if it is drawn uniformly.
    """
    how = "at random" if independent is None else f"by {type(independent).__name__}"
    _logger.warning(
        f"{sampler} does not search parameter {name!r}, which trial {trial.number} draws "
        f"{how}: it is not in search_space, or another trial suggested it with another range or "
        f"other choices. Suggest it with one distribution, or pass "
        f"warn_independent_sampling=False to turn this warning off."
    )
