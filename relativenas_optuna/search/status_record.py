"""Records of the progress of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from relativenas_optuna.search.study_facts import record_data

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """A worker that is alive.

    Attributes:
        machine: Its name.
        pid: Its process.
        trials: Numbers of the trials that it scores.
    """

    machine: str
    pid: int | None
    trials: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BestStatus:
    """The best so far; of a finished search its winner.

    Attributes:
        trial: Its number.
        loss: The objective's value; of a winner with the final shared weights.
        accuracy: Accuracy of a winner, 0 to 1.
        genotype: Its architecture as text, where the trial says it.
    """

    trial: int
    loss: float
    accuracy: float | None
    genotype: str | None


@dataclass(frozen=True, kw_only=True)
class GenerationStatus:
    """A complete generation of a search for one objective.

    Attributes:
        number: From 1.
        best: The best value.
        median: The median value.
        diversity: See `samplers.slow_fast`.
    """

    number: int
    best: float
    median: float
    diversity: float | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The progress of a study.

    Attributes:
        study: Its name.
        directions: "minimize" or "maximize" for each objective.
        sampler: Name of the sampler's class; `None` where the trials do not say it.
        preset: Preset of `RelativeNASSampler`.
        data: Data set of `relativenas search`; None if another program made the study.
        space: Name of the search space of `relativenas search`.
        search_preset: Preset of `relativenas search`.
        population: Members of a generation; `None` under another sampler, as all that follows
            from generations.
        generations: Number of planned generations; None if unknown.
        complete_generations: Number of complete generations.
        total: Number of seats of the whole search; None if unknown.
        scored: Seats that need no further trial; under another sampler complete trials.
        running: Trials that run, and whose worker is not known to be gone.
        lost: Running trials whose worker is gone; the next worker gives their seats out again.
        failed: Trials whose objective failed.
        interrupted: Trials that ended with their worker.
        pruned: Trials that were pruned.
        workers: Live workers that score a trial, as far as the trials name them.
        best: The best so far; `None` with several objectives, or before the first score.
        front: Number of trials on the Pareto front, with several objectives.
        history: The complete generations.
        seconds_left: At the speed of the last trials; `None` where that is not known.
        finished: True if the search is over and its winner chosen.
        last_written: Time at which a trial last started or ended, by this machine's clock.
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
    seconds_left: float | None
    finished: bool
    last_written: datetime | None

    derived: ClassVar = ("generation",)

    @property
    def generation(self) -> int | None:
        """The generation that is being scored, from 1; of a finished search the last one."""
        if self.complete_generations is None:
            return None
        begun = self.complete_generations + 1
        return begun if self.generations is None else min(begun, self.generations)

    @property
    def counts(self) -> tuple[object, ...]:
        """The figures that change when something happens in the study, not as time passes."""
        numbers = (self.scored, self.running, self.lost, self.failed, self.interrupted, self.pruned)
        return *numbers, self.workers, self.best, self.finished

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON data."""
        return record_data(self)
