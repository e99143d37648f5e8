"""Measure candidates per minute of workers that share one weight set, on equal numbers of cores.

Usage: python benchmarks/workers.py [--cores N] [--generations N] [--repetitions N] [--quick]

A search of preset "small", on 500 + 500 images of 32 pixels that are noise, for their content
does not change the work. One worker with all cores as threads, and a worker of one thread for each
core, search a new study each time, on SQLite and a folder; one worker of one thread says what the
second core brings in either way. "published" trains the architectures that the first one scored by
`published_procedure.py`, which has no study and no files. Start-up, each worker's first pair
included, does not count; the wait for the last one at the end does.
The wall clock counts, so nothing else should run.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import optuna
from rich.console import Console
from rich.table import Table
from workers_processes import NAME, PATIENCE, Load, context, publish, url_in, work

from relativenas_optuna.objective.settings import preset
from relativenas_optuna.storages.opening import storage_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess


@dataclass
class Way:
    """One way to search, and how fast it was.

    Attributes:
        title: Title in the table.
        workers: Number of processes.
        threads: Number of threads of each process.
        rates: Candidates per minute of each run.
        stale: Commits of other workers between the start of a pair and its commit, over all runs.
    """

    title: str
    workers: int
    threads: int
    rates: list[float] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)


def rate(heard: Sequence[tuple[float, list[float]]]) -> float:
    """Return candidates per minute from the times that processes sent, by the machine's clock."""
    begin = min(begin for begin, _ in heard)
    ends = [end for _, own in heard for end in own]
    return 60 * len(ends) / (max(ends) - begin)


def run(way: Way, load: Load) -> list[str]:
    """Search a new study in one way; returns the architectures that were scored."""
    with TemporaryDirectory() as folder, storage_at(url_in(folder)) as storage:
        study = optuna.create_study(study_name=NAME, storage=storage)
        barrier = context.Barrier(way.workers)
        ends = [context.Pipe(duplex=False) for _ in range(way.workers)]
        crew = [
            context.Process(target=work, args=(load, way.threads, folder, barrier, mouth))
            for _, mouth in ends
        ]
        way.rates.append(rate(heard(crew, ends)))
        trials = study.get_trials(deepcopy=False)
        way.stale += [
            t.user_attrs["stale_commits"] for t in trials if "stale_commits" in t.user_attrs
        ]
        return [trial.user_attrs["genotype"] for trial in trials]


def heard(
    crew: Sequence[SpawnProcess],
    pipes: Sequence[tuple[Connection, Connection]],
) -> list[tuple[float, list[float]]]:
    """Start processes and wait for what they send."""
    try:
        for process in crew:
            process.start()
        for _, mouth in pipes:
            mouth.close()
        said = [ear.recv() for ear, _ in pipes]
        for process in crew:
            process.join(PATIENCE)
        return said
    finally:
        for process in crew:
            process.kill()
            process.join()


def run_published(way: Way, load: Load, texts: Sequence[str]) -> None:
    """Score architectures by the published procedure."""
    pipe = context.Pipe(duplex=False)
    process = context.Process(target=publish, args=(load, way.threads, texts, pipe[1]))
    way.rates.append(rate(heard([process], [pipe])))


def table(ways: Sequence[Way], load: Load) -> Table:
    """Return a table of all ways; the best run of each counts."""
    settings = load.settings
    title = (
        f"candidates per minute, C{settings.channels}L{settings.cells}, "
        f"{load.images} + {load.images} images"
    )
    found = Table(title=title)
    for column in ("", "per minute", "each run", "to published", "to 1 worker", "stale commits"):
        found.add_column(column, justify="right" if column else "left", no_wrap=True)
    published, one = (max(way.rates) for way in ways[:2])
    for way in ways:
        best = max(way.rates)
        found.add_row(
            way.title,
            f"{best:.1f}",
            " ".join(f"{run:.1f}" for run in way.rates),
            f"{best / published:.2f}",
            f"{best / one:.2f}",
            f"{sum(way.stale) / len(way.stale):.2f} a pair" if way.stale else "-",
        )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Candidates per minute of many workers.")
    cores = min(2, os.cpu_count() or 1)
    parser.add_argument("--cores", type=int, default=cores, help=f"{cores} unless given")
    parser.add_argument("--generations", type=int, default=4, help="4 unless given")
    parser.add_argument("--repetitions", type=int, default=2, help="2 unless given")
    parser.add_argument("--quick", action="store_true", help="whether it runs, not how fast")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    load = Load(
        replace(preset("small"), uniform_epochs=0, generations=options.generations), images=500
    )
    if options.quick:
        tiny = replace(load.settings, nodes=1, channels=2, cells=3, generations=2, population=4)
        load, options.repetitions = Load(tiny, images=20), 1
    if not 1 <= options.cores <= load.settings.population // 2:  # a pair each to warm up with
        parser.error(f"--cores must be 1 to {load.settings.population // 2}; got {options.cores}")
    ways = [
        Way(f"published, {options.cores} threads", 1, options.cores),
        Way(f"1 worker, {options.cores} threads", 1, options.cores),
        Way(f"{options.cores} workers, 1 thread each", options.cores, 1),
        Way("1 worker, 1 thread", 1, 1),
    ]
    published, *searches = ways
    for _ in range(options.repetitions):
        texts = [run(way, load) for way in searches]
        run_published(published, load, texts[0])
    Console(width=100).print(table(ways, load))


if __name__ == "__main__":
    main()
