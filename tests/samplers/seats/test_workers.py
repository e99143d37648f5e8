"""Real workers of every kind on every storage: their search equals that of one worker."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from relativenas_optuna.samplers.seats.replay import Replay
from tests.helpers.databases import KINDS
from tests.helpers.samplers.worker_groups import STORAGES, WorkerGroup, scenario, worker_group
from tests.helpers.samplers.worker_pool import WorkerPool
from tests.helpers.samplers.worker_process import AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    opened = WorkerPool()
    yield opened
    opened.close()


def by_one_thread(workers: WorkerGroup) -> None:
    workers.run(1)


def by_eight_threads(workers: WorkerGroup) -> None:
    workers.run(1, threads=8)


def by_eight_processes(workers: WorkerGroup) -> None:
    workers.run(8)


def by_three_times_two_threads(workers: WorkerGroup) -> None:
    workers.run(3, threads=2)


def by_some_and_others_after_them(workers: WorkerGroup) -> None:
    """Search by workers that end within a generation, and by others after them."""
    workers.run(4, trials=7)
    assert not workers.is_done
    workers.run(3)


def by_a_process_for_every_trial(workers: WorkerGroup) -> None:
    while not workers.is_done:
        workers.run(3, trials=1)


def by_ask_and_tell(workers: WorkerGroup) -> None:
    """Search by one process that asks for several trials and reports them in any order."""
    study, random = workers.study, Random(0)
    study.sampler = workers.scenario.sampler()
    running: list[tuple[int, list[float]]] = []
    while not workers.is_done:
        while len(running) < 6:
            following = Replay()
            following.update(study)
            nothing_free = following.population is not None and not following.free_seats()
            trial = study.ask()
            if nothing_free:
                trial.set_user_attr(AGAIN, True)
            running.append((trial.number, workers.scenario.objective(trial)))
        number, values = running.pop(random.randrange(len(running)))
        study.tell(number, values)


def by_whole_generations(workers: WorkerGroup) -> None:
    study = workers.study
    while not workers.is_done:
        for trial in workers.scenario.sampler().ask_generation(study):
            study.tell(trial, workers.scenario.objective(trial))


WAYS = [
    by_one_thread,
    by_eight_threads,
    by_eight_processes,
    by_three_times_two_threads,
    by_some_and_others_after_them,
    by_a_process_for_every_trial,
    by_ask_and_tell,
    by_whole_generations,
]
named: dict[str, Any] = {"ids": lambda way: way.__name__}


def check(
    kind: str,
    way: Callable[[WorkerGroup], None],
    pool: WorkerPool,
    folder: Path,
    *,
    preset: str = "plain",
    known: bool = True,
    generations: int = 4,
) -> None:
    with worker_group(kind, pool, folder, scenario(preset, known=known), generations) as workers:
        way(workers)
        # Under the lock of a SQL database there are none. Elsewhere they are a matter of timing,
        # and on a busy machine eight processes on two cores have bad luck: here one in ten, in the
        # long run (slow) and the benchmark one in a hundred.
        share = 100 if generations > 4 else 10
        workers.check(doubles=0 if kind in KINDS else max(2, generations * 20 // share))


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("kind", STORAGES)
def test_eight_processes_equal_one_on_every_storage(
    kind: str, pool: WorkerPool, tmp_path: Path
) -> None:
    check(kind, by_eight_processes, pool, tmp_path)


@pytest.mark.slow_except("by_eight_processes", "by_one_thread")
@pytest.mark.parametrize("way", WAYS, **named)
def test_every_way_of_working_equals_one_worker(
    way: Callable[[WorkerGroup], None], pool: WorkerPool, tmp_path: Path
) -> None:
    generations = 2 if way is by_a_process_for_every_trial else 4
    check("sqlite", way, pool, tmp_path, generations=generations)


@pytest.mark.slow_except("paper-True")
@pytest.mark.parametrize(
    ("preset", "known"),
    [("paper", True), ("plain", False), ("migo", False), ("members", True)],
)
def test_eight_processes_equal_one_in_every_mode(
    preset: str, known: bool, pool: WorkerPool, tmp_path: Path
) -> None:
    way = by_eight_processes
    check("sqlite", way, pool, tmp_path, preset=preset, known=known, generations=3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("way", WAYS, **named)
@pytest.mark.parametrize(
    "mode",
    [("paper", True), ("plain", True), ("plain", False), ("migo", True), ("members", True)],
    ids=str,
)
def test_workers_equal_one_on_every_storage_in_every_way(
    kind: str,
    way: Callable[[WorkerGroup], None],
    mode: tuple[str, bool],
    pool: WorkerPool,
    tmp_path: Path,
) -> None:
    check(kind, way, pool, tmp_path, preset=mode[0], known=mode[1], generations=6)
