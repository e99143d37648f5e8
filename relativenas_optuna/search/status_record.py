"""The status of a study as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from relativenas_optuna.search.study_facts import record_data

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """A live worker.

    Attributes:
        machine: Name of the worker's machine.
        pid: Process id of the worker; None if unknown.
        trials: Numbers of the trials that the worker is running.
    """

    machine: str
    pid: int | None
    trials: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BestStatus:
    """The best trial so far, or the winner of a finished search.

    Attributes:
        trial: Number of the trial; None for a winner that no trial scored, see `Finalist`.
        loss: Value of the objective; for a winner, the loss with the final shared weights.
        accuracy: Accuracy of a winner with the final shared weights, 0 to 1; None otherwise.
        standalone: Accuracy of the winner of finals after its last stand-alone training, 0 to 1;
            None otherwise.
        genotype: Architecture as text; None if the trial has no genotype.
        chosen_by: Way in which a winner of finals was chosen, see `Finalist`.
    """

    trial: int | None
    loss: float
    accuracy: float | None
    standalone: float | None = None
    genotype: str | None
    chosen_by: str = "shared score"


@dataclass(frozen=True, kw_only=True)
class FinalsStatus:
    """The progress of the finals of a search.

    Attributes:
        rung: Number of the current rung, from 1; 0 while the shortlist is made.
        rungs: Number of rungs; 0 while the shortlist is made.
        done: Number of finished trainings.
        total: Number of trainings of all rungs; 0 while the shortlist is made.
        running: Number of trainings in progress, of live workers.
        accuracy: Best accuracy in the last rung that has a score, 0 to 1; None without a score.
        target: Network that the finals choose for, "small" or "full".
    """

    rung: int
    rungs: int
    done: int
    total: int
    running: int
    accuracy: float | None
    target: str


@dataclass(frozen=True, kw_only=True)
class GenerationStatus:
    """A complete generation of a search with one objective.

    Attributes:
        number: Number of the generation, from 1.
        best: Best value of the objective.
        median: Median value of the objective.
        diversity: Diversity of the members' positions; see `slow_fast.diversity`.
    """

    number: int
    best: float
    median: float
    diversity: float | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The progress of a study.

    Attributes:
        study: Name of the study.
        directions: "minimize" or "maximize" for each objective.
        sampler: Class name of the sampler; None if no trial shows it.
        preset: Preset of `RelativeNASSampler`; None with another sampler.
        data: Data set of `relativenas search`; None if another program made the study.
        space: Name of the search space of `relativenas search`; None if another program made the
            study.
        search_preset: Preset of `relativenas search`; None if another program made the study.
        population: Members of a generation; None with a sampler without generations.
        generations: Number of planned generations; None if unknown.
        complete_generations: Number of complete generations; None with another sampler.
        total: Number of seats of the whole search; None if unknown.
        scored: Number of seats that need no further trial; with another sampler, number of
            complete trials.
        running: Number of running trials, without the lost ones.
        lost: Number of running trials whose worker is gone; their seats will be reassigned.
        failed: Number of trials whose objective failed.
        interrupted: Number of trials that failed because their worker ended.
        pruned: Number of pruned trials.
        workers: Live workers with a running trial, as far as the trials name them.
        best: The best trial so far; None with several objectives or before the first score.
        front: Number of trials on the Pareto front; None with one objective.
        history: The complete generations.
        finals: Progress of the finals; None before they begin, and without finals.
        trained_epochs: Epochs on uniform paths that are trained; None in a search without them.
        uniform_epochs: Epochs on uniform paths in all; None in a search without them.
        seconds_left: Estimated seconds until the end of the search; None if unknown.
        time: Seconds that the whole search takes; None without a time.
        seconds_used: Seconds of `time` that are used; None without a time.
        finished: True if the search has ended and its winner is chosen.
        last_written: Local time at which a trial last started or ended; None without trials.
    """

    study: str
    directions: tuple[str, ...]
    sampler: str | None
    preset: str | None
    data: str | None
    space: str | None
    search_preset: str | None
    population: int | None
    generations: int | None
    complete_generations: int | None
    total: int | None
    scored: int
    running: int
    lost: int
    failed: int
    interrupted: int
    pruned: int
    workers: tuple[WorkerStatus, ...]
    best: BestStatus | None
    front: int | None
    history: tuple[GenerationStatus, ...]
    finals: FinalsStatus | None
    trained_epochs: int | None
    uniform_epochs: int | None
    seconds_left: float | None
    time: float | None
    seconds_used: float | None
    finished: bool
    last_written: datetime | None

    derived: ClassVar = ("generation",)

    @property
    def generation(self) -> int | None:
        """Number of the current generation, from 1; the last one of a finished search."""
        if self.complete_generations is None:
            return None
        begun = self.complete_generations + 1
        return begun if self.generations is None else min(begun, self.generations)

    @property
    def counts(self) -> tuple[object, ...]:
        """The figures that change only when something happens in the study."""
        numbers = (self.scored, self.running, self.lost, self.failed, self.interrupted, self.pruned)
        return (
            *numbers,
            self.trained_epochs,
            self.workers,
            self.best,
            self.finals,
            self.finished,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON data."""
        return record_data(self)
