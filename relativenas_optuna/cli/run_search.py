"""Run searches with progress reports in the terminal."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna

from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna.cli.local_workers import workers_beside
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.run_folder import empty_folders_removed, locked, make_folder
from relativenas_optuna.search.studies import study_to_search
from relativenas_optuna.search.study_access import check_study
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.urls import is_missing_file

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from relativenas_optuna.cli.output.search import Console
    from relativenas_optuna.objective.supernet_objective import SupernetObjective
    from relativenas_optuna.search.budget import TimePlan
    from relativenas_optuna.search.plan import SearchRequest
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.image_set import ImageSet


def searched(
    console: Console,
    request: SearchRequest,
    device: str | None,
    workers: int = 1,
    threads: int | None = None,
) -> Choice:
    """Start or continue a search, print its progress, and return its result.

    Args:
        console: Console of the study.
        request: Requested settings of the search.
        device: Device of the search; None for the best one.
        workers: Number of processes that search together, at least 1.
        threads: Number of CPU threads of each process; None to choose one.
    """
    begun, prepared = monotonic(), None
    if is_missing_file(console.storage):
        prepared = prepared_in_memory(
            console, request, device=device, workers=workers, threads=threads, begun=begun
        )
    with (
        storage_at(console.storage) as storage,
        study_to_search(storage, console.study) as study,
    ):
        plan = SearchPlan.of(study, request)
        check_study(study, plan.search_space)
        choice = Choice.stored_in(study)
        if choice is not None and choice.is_of(plan):
            console.already_finished(choice, plan)
            return choice
        if prepared is None:
            console.preparing(plan)
        else:
            plan = prepared.of(plan)
        return search_to_the_end(
            console,
            study,
            plan,
            device=device,
            workers=workers,
            threads=threads,
            prepared=prepared,
            begun=begun,
        )


class Prepared(NamedTuple):
    """Parts of a new search that are made before its study.

    Attributes:
        images: All images of its data.
        plan: Plan of the search, with what follows from its time.
        time_plan: What the search does within its time; None without a time.
    """

    images: ImageSet
    plan: SearchPlan
    time_plan: TimePlan | None

    def of(self, plan: SearchPlan) -> SearchPlan:
        """Return the plan of the study with what follows from its time."""
        planned = self.plan
        if plan.time is None or plan.speed is not None:
            return plan
        return replace(
            plan,
            settings=planned.settings,
            finals=planned.finals,
            speed=planned.speed,
            images=planned.images,
        )


def prepared_in_memory(
    console: Console,
    request: SearchRequest,
    *,
    device: str | None,
    workers: int,
    threads: int | None,
    begun: float,
) -> Prepared:
    """Prepare a search in memory.

    An invalid request raises here, before a database file is created.

    Args:
        console: Console of the study, which prints the plan.
        request: Requested settings of the search.
        device: Device of the search; None for the best one.
        workers: Number of processes that will search together.
        threads: Number of CPU threads of each process; None to choose one.
        begun: Value of `time.monotonic` from which the time of the plan counts.

    Raises:
        Exception: See `Search` for all errors.
    """
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.setup import images_of_plan
    from relativenas_optuna.search.threads import set_search_threads
    from relativenas_optuna.training.device import resolve_device

    with storage_at("sqlite://") as storage:
        study = optuna.create_study(study_name=console.study, storage=storage)
        plan = SearchPlan.of(study, request)
        console.preparing(plan)
        found = resolve_device(device)
        with empty_folders_removed(plan.out, on_success=True):
            make_folder(plan.out)
            with locked(plan.out), TemporaryDirectory() as folder:
                images = images_of_plan(plan)
                local = plan.weights is None or "://" not in plan.weights
                weights = None if local else plan.weights
                search = Search(
                    study,
                    replace(plan, out=folder, weights=weights),
                    device=str(found),
                    images=images,
                    begun=begun,
                    before_measuring=lambda o: set_search_threads(
                        study, o, threads, workers=workers
                    ),
                    workers=workers,
                )
    return Prepared(images, search.plan, search.time_plan)


def search_to_the_end(
    console: Console,
    study: optuna.Study,
    plan: SearchPlan,
    *,
    device: str | None,
    workers: int = 1,
    threads: int | None = None,
    prepared: Prepared | None = None,
    begun: float | None = None,
) -> Choice:
    """Run or continue the search of a study to its end, and report the result.

    Args:
        console: Console of the study.
        study: Study to search.
        plan: Plan of the search.
        device: Device of the search; None for the best one.
        workers: Number of processes that search together, at least 1.
        threads: Number of CPU threads of each process; None to choose one.
        prepared: What was prepared before the study was made; None if nothing was.
        begun: Value of `time.monotonic` from which the time of the plan counts; None for now.

    Raises:
        Interrupted: A signal interrupted the search; the message says what was saved.
        Exception: See `Search` for all other errors.
    """
    # These imports load PyTorch, which takes seconds, so commands without it start fast.
    from relativenas_optuna.dashboard.reporter import reporter_of
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.threads import set_search_threads
    from relativenas_optuna.training.device import resolve_device

    # Checked before the data, which may have to be downloaded.
    found = resolve_device(device)
    lines: list[str | None] = []

    def choose_threads(objective: SupernetObjective[Any]) -> None:
        lines.append(set_search_threads(study, objective, threads, workers=workers))

    with ExitStack() as stack:
        places = [place for place in (plan.out, plan.place) if "://" not in place]
        with empty_folders_removed(*places):
            make_folder(plan.out)
            stack.enter_context(locked(plan.out))
            search = Search(
                study,
                plan,
                device=str(found),
                images=None if prepared is None else prepared.images,
                warn=console.warn,
                begun=begun,
                before_measuring=choose_threads,
                workers=workers,
                time_plan=None if prepared is None else prepared.time_plan,
            )
        del prepared  # the objective has copied its images
        reporter = reporter_of(study, plan.out, console.warn)
        reporters = [] if reporter is None else [reporter]

        def write() -> None:
            for reporter in reporters:
                reporter.write(study)

        beside = workers_beside(
            workers - 1, storage=console.storage, study=console.study, device=device
        )
        try:
            console.begins(search)
            if not lines:
                choose_threads(search.objective)
            console.threads(lines[0])
            console.time(search)
            with beside:
                if search.scored < search.total:
                    with console.progress(search) as progress:
                        search.run([progress.after, *reporters], progress.failed, progress.paths)
                        write()
                if search.plan.finals is not None:
                    with console.finals(search, on_rung=write) as finals:
                        search.run_finals(finals.hooks)
            if search.plan.finals is None:
                with console.counting("scoring the best again", search.choices) as advance:
                    choice = search.choose(advance)
            else:
                choice = search.choose()
            for reporter in reporters:
                reporter.write(study, ended=True)
            console.ended(choice, search.plan)
        except KeyboardInterrupt:
            raise Interrupted(console.saved(search)) from None
    return choice


def baseline_architecture(
    storage: BaseStorage,
    study: optuna.Study,
    plan: SearchPlan,
    *,
    console: Console,
    device: str | None,
    threads: int | None = None,
) -> AnyGenotype:
    """Start or continue the random search that belongs to a study, and return its winner.

    Args:
        storage: Storage of both studies.
        study: Study that was searched.
        plan: Plan of that search.
        console: Console of the random search.
        device: Device of the random search; None for the best one.
        threads: Number of CPU threads; None to choose one.

    Raises:
        Exception: See `baseline_plan` and `Search` for all errors.
    """
    from relativenas_optuna.evaluation.comparison.baseline import baseline_plan
    from relativenas_optuna.objective.study_weights import IMAGES

    with study_to_search(storage, console.study) as baseline:
        planned = baseline_plan(study, plan, baseline)
        check_study(baseline, planned.search_space)
        choice = Choice.stored_in(baseline)
        if choice is None or not choice.is_of(planned):
            console.preparing(planned)
            if IMAGES in study.user_attrs and IMAGES not in baseline.user_attrs:
                # The images of the study, although its folder may have other images by now.
                baseline.set_user_attr(IMAGES, study.user_attrs[IMAGES])
            choice = search_to_the_end(console, baseline, planned, device=device, threads=threads)
    return choice.winner.genotype
