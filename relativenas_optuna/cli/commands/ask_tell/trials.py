"""Ask for trials in one process and report their results in another, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState

from relativenas_optuna.exceptions import SpaceError, TellError
from relativenas_optuna.samplers.seats.claims import Claim, retries_of, seat_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from relativenas_optuna.cli.commands.ask_tell.samplers import AskedSampler
    from relativenas_optuna.samplers.seats.settings import PopulationArguments


class Asker:
    """A source of trials that outlive this process.

    Args:
        study: The study; its sampler is replaced.
        asked: The sampler, with its arguments.

    Raises:
        SettingsError: The study was started with other arguments.
        SpaceError: The parameters of the next trials are not known yet.
    """

    def __init__(self, study: Study, asked: AskedSampler) -> None:
        self._study = study
        self._sampler = asked.sampler
        study.sampler = self._sampler
        self._space = self._known_space(asked.arguments)

    def one(self) -> dict[str, Any]:
        """Return a running trial: a waiting trial if there is one, otherwise one for a free seat.

        If no seat is free, preset "plain" of RelativeNASSampler makes an extra trial, whose
        generation and seat are None. Otherwise the seat that has been running longest is given out
        again.
        """
        trial = self._study.ask(self._space)
        _detach(trial)
        return self._records([trial.number])[0]

    def generation(self) -> list[dict[str, Any]]:
        """Return running trials for all free seats of the next generation."""
        trials = self._sampler.ask_generation(self._study, detached=True)
        return self._records([trial.number for trial in trials])

    def enqueued(self) -> list[dict[str, Any]]:
        """Return waiting trials for all free seats of the next generation."""
        return self._records(self._sampler.enqueue_generation(self._study))

    def _known_space(self, asked: PopulationArguments) -> dict[str, BaseDistribution]:
        population = self._sampler.population(self._study)
        space = asked.space
        if population is not None:
            # Checked before a trial is created, because that trial would fail.
            asked.check_agrees_with(population.settings, self._study.study_name)
            space = population.settings.space
            learned = population.generations[-1].encoding
            if space is None and learned is not None:
                space = learned.space
        if space is None:
            raise SpaceError(
                f"the parameters of study {self._study.study_name!r} are not known yet: "
                + (
                    "give them by --search-space"
                    if population is None
                    else "it was started without a search space and learns it from its first "
                    "generation, which is not complete; let study.optimize complete that"
                )
            )
        return dict(space)

    def _records(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        trials = self._study.get_trials(deepcopy=False)
        return [self._record(trials[number]) for number in numbers]

    def _record(self, trial: FrozenTrial) -> dict[str, Any]:
        seat = seat_of(trial)
        return {
            "study": self._study.study_name,
            "number": trial.number,
            "generation": None if seat is None else seat.generation,
            "seat": None if seat is None else seat.number,
            "params": trial.params,
        }


def _detach(trial: Trial) -> None:
    """Let a trial outlive this process."""
    attrs = trial.storage.get_trial_system_attrs(trial._trial_id)
    claim = Claim.read(attrs)
    assert claim is not None
    anybodys = replace(claim, worker={}, signed=None)
    anybodys.write(trial.storage, trial._trial_id, retries_of(attrs))


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a trial.

    Attributes:
        values: Values of the objectives, in their order; a NaN fails the trial.
        state: COMPLETE, PRUNED or FAIL; None for COMPLETE, or FAIL if a value is NaN.
        constraints: Values of the constraints by name; the trial is feasible if none is above 0.
        reports: Intermediate values by step.
    """

    values: Sequence[float] = ()
    state: TrialState | None = None
    constraints: Mapping[str, float] = field(default_factory=dict)
    reports: Mapping[int, float] = field(default_factory=dict)

    def check(self, study: Study) -> TrialState:
        """Return the state in which the trial ends.

        Raises:
            TellError: The values do not match the state, or the number of the study's objectives.
        """
        if self.reports and len(study.directions) > 1:
            raise TellError(
                f"intermediate values are for a single objective, and study "
                f"{study.study_name!r} has {len(study.directions)}: leave --report out"
            )
        if self.state in (TrialState.PRUNED, TrialState.FAIL):
            if self.values:
                word = self.state.name.lower()
                raise TellError(f"a trial reported as {word} has no value: leave --value out")
            return self.state
        if len(self.values) != len(study.directions):
            raise TellError(
                f"a complete trial of study {study.study_name!r} needs a --value for each "
                f"objective, {len(study.directions)} in all; got {len(self.values)}. For a trial "
                f"without, pass --state pruned or fail"
            )
        if not any(map(math.isnan, self.values)):
            return TrialState.COMPLETE
        if self.state == TrialState.COMPLETE:
            raise TellError("a complete trial has no value nan: leave --state out to fail it")
        return TrialState.FAIL


def tell_trial(
    study: Study, number: int, result: Result, *, skip_if_finished: bool = False
) -> dict[str, Any]:
    """End a running trial, which any process may have asked for.

    A trial in state FAIL counts as a failure of the objective.

    Args:
        study: The study; its sampler is replaced.
        number: Number of the trial.
        result: Result of the trial.
        skip_if_finished: True to accept a finished trial and change nothing; False to raise.

    Returns:
        The name of the study, and the trial's number, state and values, as JSON data.

    Raises:
        TellError: The trial does not exist or is not running, or the result does not match the
            study.
    """
    study.sampler = RandomSampler()  # `Trial` calls the sampler, which must not claim a new seat
    try:
        trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    except KeyError:
        end = len(study.get_trials(deepcopy=False))
        there = f"it has trials 0 to {end - 1}" if end else "it has none yet"
        raise TellError(f"study {study.study_name!r} has no trial {number}: {there}") from None
    state = study._storage.get_trial(trial_id).state
    ends_in = result.check(study)
    if not (state.is_finished() and skip_if_finished):
        _check_runs(number, state)
        try:
            trial = Trial(study, trial_id)
            for name, value in result.constraints.items():
                trial.set_constraint(name, value)
            for step, value in result.reports.items():
                trial.report(value, step)
            complete = ends_in == TrialState.COMPLETE
            study.tell(number, list(result.values) if complete else None, state=ends_in)
        except UpdateFinishedTrialError:
            _check_runs(number, study._storage.get_trial(trial_id).state)
            raise
    told = study._storage.get_trial(trial_id)
    return {
        "study": study.study_name,
        "number": number,
        "state": told.state.name,
        "values": told.values,
    }


def _check_runs(number: int, state: TrialState) -> None:
    if state == TrialState.WAITING:
        raise TellError(f"trial {number} waits for a worker: ask for it first")
    if state != TrialState.RUNNING:
        raise TellError(
            f"trial {number} is finished already ({state.name}): --skip-if-finished accepts this"
        )
