"""Start or continue the search of a study, and choose its result."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.busy_cpus import slow_threads_reported
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.choosing import chosen, chosen_by_finals
from relativenas_optuna.search.finals.run import FinalsHooks, run_finals
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.search.setup import set_up
from relativenas_optuna.search.speed import choices, measured_speed
from relativenas_optuna.search.time_used import TimeUsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import optuna
    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.objective.uniform_paths import UniformProgress
    from relativenas_optuna.samplers.seats.population import Population
    from relativenas_optuna.search.budget import TimePlan
    from relativenas_optuna.search.finals.records import FinalsRecord
    from relativenas_optuna.search.plan import SearchPlan
    from relativenas_optuna.training.data.image_set import ImageSet


class Search:
    """The search of one study, by this process alone or together with others.

    A search can be interrupted and continued at any moment. With one process, on a CPU, and with
    the same number of threads, its losses, populations and weights are then identical to those of
    an uninterrupted search. With several processes, the weights depend on the order of commits.
    With `uniform_epochs` in the settings all scores are from the same weights, with any number of
    processes.

    A larger number of generations continues a study and keeps its scores. The learning rate and
    drop-path depend on the number of generations. The result therefore equals a search with the
    larger number from the start only in three cases: `uniform_epochs` is above 0,
    `learning_rate_end` equals `learning_rate` and `drop_path` is 0, or the first generation had not
    ended.

    Args:
        study: Study of the search; its sampler is replaced.
        plan: Plan of the search.
        device: Device of the training, such as "cuda:1"; see `SupernetObjective`.
        leads: True to store the plan in the study; False in a worker that joins a search.
        images: All images of the plan's data; None to load them.
        warn: Called with one line if other programs begin to slow the search down; None for none.
        begun: Value of `time.monotonic` when the work began, from which the time of the plan
            counts; None for now.
        before_measuring: Called with the objective before the speed is measured for a new plan with
            a time, to set the number of threads.
        workers: Number of processes that search together, for estimates of time.
        time_plan: Plan of the time from which the plan has its settings and speed; None for none.

    Attributes:
        study: Study of the search.
        plan: Plan of the search, for its images and without impossible finals.
        sampler: Sampler of the search.
        objective: Objective that trains and scores the candidates.
        lacks_finals: True if finals were planned, but the space has no stand-alone networks.
        time_plan: What the search does in its time, if it was just planned; else None.

    Raises:
        SearchError: The study has scores of more generations than planned, or no weights.
        DataError: The images are missing, cannot be used, or differ from the study's first ones.
        SpaceError: The search space of the plan is not found or breaks its protocol.
        OSError: The place of the weights cannot be written to.
        ValueError: The device does not exist; or the weights are damaged, or belong to another
            search or another supernet.
    """

    def __init__(
        self,
        study: optuna.Study,
        plan: SearchPlan,
        *,
        device: str | None = None,
        leads: bool = True,
        images: ImageSet | None = None,
        warn: Callable[[str], None] | None = None,
        begun: float | None = None,
        before_measuring: Callable[[SupernetObjective[Any]], object] = lambda _: None,
        workers: int = 1,
        time_plan: TimePlan | None = None,
    ) -> None:
        begun = time.monotonic() if begun is None else begun
        setup = set_up(
            study,
            plan,
            device=device,
            leads=leads,
            images=images,
            begun=begun,
            before_measuring=before_measuring,
            workers=workers,
            time_plan=time_plan,
        )
        self.study = study
        self.plan, self.sampler, self.objective = setup.plan, setup.sampler, setup.objective
        self.lacks_finals, self.time_plan = setup.lacks_finals, setup.time_plan
        self._leads, self._workers = leads, workers
        self._clock = TimeUsed(study, leads=leads, begun=begun)
        # Only the search that leads warns, not the workers that join it.
        self._warn = warn if leads and self.objective.device.type == "cpu" else None

    @property
    def population(self) -> Population | None:
        """The generations so far; None before the first trial."""
        return self.sampler.population(self.study)

    @property
    def total(self) -> int:
        """Number of seats of the whole search."""
        return self.plan.settings.generations * self.plan.settings.population

    @property
    def choices(self) -> int:
        """Largest number of architectures that are scored again with the final weights."""
        return choices(self.plan)

    @property
    def seconds_used(self) -> float | None:
        """Seconds of the plan's time that are used; None without a time. See `TimeUsed`."""
        return None if self.plan.time is None else self._clock.seconds

    @property
    def scored(self) -> int:
        """Number of seats that have a score."""
        population = self.population
        return 0 if population is None else population.scored_seats(self.plan.settings.generations)

    def seconds_left(self, generations: int) -> float | None:
        """Return about how many seconds the search takes after a number of its generations.

        It times a few steps, in about two seconds. The result is None with several workers, which
        would disturb the measurement.
        """
        if self._workers > 1:
            return None
        speed = measured_speed(self.objective, self.plan, workers=self._workers)
        return self.plan.budget(speed).left(generations, self.plan.training_passes)

    def run(
        self,
        callbacks: Sequence[Callable[[optuna.Study, FrozenTrial], None]] = (),
        on_failure: Callable[[FrozenTrial, Exception], None] | None = None,
        on_paths: Callable[[UniformProgress], None] = lambda _: None,
    ) -> None:
        """Score all remaining seats, together with the other workers of the study.

        With `uniform_epochs` in the settings the shared weights are trained before.

        Args:
            callbacks: Called with the study and each trial that this worker ended, like the
                callbacks of `study.optimize`.
            on_failure: Called with each trial whose training raised an error, and with the error;
                see `score_seats`. None to let the first error end the run.
            on_paths: Called with the progress of the training of the shared weights; see
                `SupernetObjective.prepare`.

        Raises:
            DivergedError: The training of the shared weights diverged.
        """

        def after(trial: FrozenTrial) -> None:
            for callback in callbacks:
                callback(self.study, trial)

        watched = nullcontext() if self._warn is None else slow_threads_reported(self._warn)
        with watched, self._clock.written():
            self.objective.prepare(self.study, self._clock.then(on_paths))
            score_seats(
                self.study,
                self.sampler,
                self.objective,
                generations=self.plan.settings.generations,
                on_trial=self._clock.then(after),
                on_failure=on_failure,
            )

    def run_finals(self, hooks: FinalsHooks | None = None) -> FinalsRecord | None:
        """Run the finals of the plan together with the other workers, after the last generation.

        Args:
            hooks: Functions to call; None for none, so that the first error ends the run.

        Returns:
            The finished record; None if the plan has no finals, or the study has others by now.
        """
        if self.plan.finals is None:
            return None
        hooks = hooks or FinalsHooks()
        clock = self._clock
        hooks = replace(
            hooks, on_scored=clock.then(hooks.on_scored), on_batch=clock.then(hooks.on_batch)
        )
        with clock.written():
            return run_finals(
                self.study,
                self.plan,
                self.objective,
                lambda: self.population,
                leads=self._leads,
                hooks=hooks,
                clock=None if self.plan.time is None else clock,
            )

    def choose(self, on_scored: Callable[[], None] = lambda: None) -> Choice:
        """Choose the winner among the best candidates, and store the choice in the study.

        With finals, it is the winner of the finals, which are run if they have not ended.

        Without finals, the best 5 candidates of the last generation are evaluated again with the
        final weights. Under another sampler than "relativenas", and with `uniform_epochs` in the
        settings, they are the best 5 of all generations. Under "migo" the most likely architecture
        is evaluated too, and wins. In both cases 20 random architectures are evaluated for
        comparison.

        Args:
            on_scored: Called after each evaluation, at most `choices` times.

        Raises:
            SearchError: No candidate has a finite loss, or another process changes the finals.
        """
        if self.plan.finals is not None:
            record = self.run_finals(FinalsHooks(on_scored=on_scored))
            if record is None:
                raise SearchError(
                    f"study {self.study.study_name!r} has other finals by now, which another "
                    f"process began: give the same command again"
                )
            choice = chosen_by_finals(record)
        else:
            self.objective.settle(self.study)
            population = self.population
            assert population is not None
            choice = chosen(self.objective, population, self.plan, self.study.study_name, on_scored)
        choice.store(self.study)
        return choice
