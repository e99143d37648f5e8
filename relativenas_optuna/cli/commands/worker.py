"""The command `relativenas worker`: one more process for a search."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import click
import optuna

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna._utils.signals import Interrupted
from relativenas_optuna._utils.text import duration, number_of
from relativenas_optuna.cli.finals_progress import finals_failure
from relativenas_optuna.cli.help_texts import examples
from relativenas_optuna.cli.local_workers import end_with_command
from relativenas_optuna.cli.options.common import (
    device_option,
    json_option,
    storage_option,
    study_option,
    threads_option,
)
from relativenas_optuna.cli.options.paths import paths_here, plan_here
from relativenas_optuna.cli.progress import failure, scored_line
from relativenas_optuna.cli.terminal import notice, verbosity
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.plan import SearchPlan
from relativenas_optuna.search.resume_command import command
from relativenas_optuna.search.study_access import check_study, deletion_reported, open_study
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.urls import is_missing_file

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from relativenas_optuna.objective.uniform_paths import UniformProgress

_PAUSE = 0.5  # seconds


@click.command(
    epilog=examples(
        "relativenas worker --study my",
        "torchrun --nproc-per-node 4 --no-python relativenas worker --study my",
        "srun --ntasks 8 relativenas worker --storage postgresql://HOST/DB --study my",
        "relativenas worker --study my --out /mnt/my     if the search's folder is there",
        "relativenas worker --study my --data /mnt/images     if the search's images are there",
    ),
)
@threads_option
@device_option
@storage_option
@study_option
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=600.0,
    show_default=True,
    help="Seconds to wait for the search, if it is not started yet.",
)
@paths_here
@json_option
def worker(
    *,
    storage: str,
    study: str,
    threads: int | None,
    device: str | None,
    wait: float,
    as_json: bool,
    **here: str | None,
) -> None:
    """Join the search of a study that `relativenas search` started.

    Any number of workers may join and leave at any time. A worker takes a pair of architectures,
    trains it from the newest shared weights, and commits the result. With preset small or digits
    one worker trains the shared weights first, and candidates are only scored. After the last
    generation the workers share the trainings of the finals.

    All workers need access to the study's database, and to the folder of the search or the bucket
    that its --weights names. With a bucket, the machines need no shared disk. Processes started by
    torchrun use one GPU each, if the machine has GPUs.
    """
    end_with_command()
    waiting = _Wait(study, storage, wait, quiet=as_json)
    while is_missing_file(storage):
        waiting.pause("there is no database {}")
    with storage_at(storage, create=False) as opened:
        while (planned := _plan(opened, study)) is None:
            waiting.pause("no search of this name is in {}")
        plan = plan_here(planned, study=study, **here)
        found = open_study(opened, study, create=False)
        with deletion_reported(found):
            check_study(found, plan.search_space)  # the user's module may differ on this machine
            _work(found, plan, here, threads=threads, device=device, as_json=as_json)


def _work(
    study: optuna.Study,
    plan: SearchPlan,
    here: dict[str, str | None],
    *,
    threads: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    # These imports load PyTorch, which takes seconds.
    from relativenas_optuna.dashboard.reporter import reporter_of
    from relativenas_optuna.search.finals.run import FinalsHooks
    from relativenas_optuna.search.search import Search
    from relativenas_optuna.search.threads import set_search_threads
    from relativenas_optuna.training.device import resolve_device

    name = study.study_name
    rank = os.environ.get("LOCAL_RANK", "0")
    found = str(resolve_device(device, index=int(rank) if rank.isdecimal() else 0))
    scored: list[int] = []
    while True:
        search = Search(study, plan, device=found, leads=False)
        reporter = reporter_of(study, plan.out, lambda line: click.echo(line, err=True))
        reporters = [] if reporter is None else [reporter]
        line = set_search_threads(study, search.objective, threads)
        if not as_json:
            notice(f"worker {os.getpid()} on {found}: {search.scored} of {search.total} scored")
            if line is not None:
                notice(line)
        try:
            search.run(
                [lambda _, trial: _after(trial, scored, quiet=as_json), *reporters],
                lambda trial, error: click.echo(failure(trial, error), err=True),
                _paths if verbosity() > 0 and not as_json else lambda _: None,
            )
            for reporter in reporters:
                reporter.write(study)
            search.run_finals(
                FinalsHooks(
                    on_failure=lambda work, error: click.echo(finals_failure(work, error), err=True)
                )
            )
        except KeyboardInterrupt:
            raise Interrupted(f"all scores are kept in study {name!r}") from None
        newest = SearchPlan.stored_in(study)
        # A custom space without stand-alone networks has no finals, whatever the plan says.
        if newest is None or (newest.settings, newest.finals) in (
            (plan.settings, plan.finals),
            (search.plan.settings, search.plan.finals),
        ):
            break
        # The search was extended meanwhile.
        plan = plan_here(newest, study=name, **here)
    if as_json:
        data = {"study": name, "worker": os.getpid(), "device": found, "trials": scored}
        click.echo(json.dumps(data))
    else:
        notice(
            f"worker {os.getpid()} scored {len(scored)}; the search of study {name!r} is finished"
        )


def _after(trial: FrozenTrial, scored: list[int], *, quiet: bool) -> None:
    scored.append(trial.number)
    if verbosity() > 0 and not quiet and trial.value is not None:
        click.echo(scored_line(trial))


def _paths(progress: UniformProgress) -> None:
    by = "trained by another worker" if progress.waiting else "trained here"
    click.echo(f"shared weights: {progress.done} of {number_of(progress.total, 'epoch')}, {by}")


class _Wait:
    """The wait of a worker for the start of its search.

    Args:
        study: Name of the study.
        storage: URL of the storage.
        seconds: Longest time to wait.
        quiet: True to print nothing while waiting.
    """

    def __init__(self, study: str, storage: str, seconds: float, *, quiet: bool) -> None:
        self._study = study
        self._storage = without_password(storage)
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._silent = quiet

    def pause(self, why: str) -> None:
        """Wait for a moment, and print once that the search is not started yet.

        Args:
            why: Reason why there is no search, with "{}" in place of the storage.

        Raises:
            SearchError: The time is over.
        """
        if time.monotonic() > self._end:
            start = command("search", storage=self._storage, study=self._study)
            raise SearchError(
                f"study {self._study!r} was not started within {duration(self._seconds)}: "
                f"{why.format(self._storage)}. Start it by `{start}`, check --storage and "
                f"--study, or wait longer with --wait SECONDS"
            )
        if not self._silent:
            notice(
                f"waiting up to {duration(self._seconds)} for the start of study {self._study!r} "
                f"in {self._storage}"
            )
            self._silent = True
        time.sleep(_PAUSE)


def _plan(storage: BaseStorage, study: str) -> SearchPlan | None:
    """Return the plan of the search, None if it is not stored yet."""
    try:
        found = optuna.load_study(study_name=study, storage=storage)
    except KeyError:
        return None
    return SearchPlan.stored_in(found)
