"""Trainings one after the other, or side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relativenas_optuna._utils.signals import ctrl_c_ignored
from relativenas_optuna.evaluation.standalone.images import images_for
from relativenas_optuna.exceptions import DataError, DivergedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from relativenas_optuna.evaluation.comparison.contestants import TrainingJob
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.standalone.result import Result


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all trainings have in common.

    Attributes:
        data: See `load_images`.
        recipe: How to train.
        device: Where.
        out: Folder of all.
    """

    data: str
    recipe: Recipe
    device: str
    out: Path

    def images(self) -> tuple[AnyImages, AnyImages]:
        """Those to train on, and those to test with.

        Raises:
            DataError: There are none.
        """
        training, test = images_for(self.recipe, self.data)
        if test is None:
            raise DataError(
                f"data {self.data!r} has no test images, by which to compare: put them in its "
                f"sub-folder test, and the training images in train"
            )
        return training, test


class JobRunner:
    """Trains in this process.

    Args:
        conditions: How.
        images: To train on, and to test with.
    """

    def __init__(self, conditions: Conditions, images: tuple[AnyImages, AnyImages]) -> None:
        self._conditions = conditions
        self._training, self._test = images

    def train(self, job: TrainingJob, name: str) -> Result:
        """Train, go on with a training that was ended, or say what a finished one came to.

        Raises:
            DivergedError: Its loss is no number any more; the message says whose.
            SearchError: The folder holds a training under other conditions.
            ValueError: The training failed.
        """
        # When it is called, so that a test can put something faster in its place.
        from relativenas_optuna.evaluation.standalone.run import training_run

        try:
            return training_run(
                job.genotype,
                self._training,
                recipe=self._conditions.recipe,
                seed=job.seed,
                out=self._conditions.out / job.folder,
                test=self._test,
                device=self._conditions.device,
                name=name,
            )
        except DivergedError as error:
            raise DivergedError(
                f"{name}, seed {job.seed}: {error}; all are trained alike, so that another recipe "
                f"needs another --out"
            ) from error


def train_all(
    conditions: Conditions,
    images: tuple[AnyImages, AnyImages],
    jobs: Mapping[TrainingJob, str],
    *,
    workers: int,
) -> Iterator[tuple[TrainingJob, Result]]:
    """Train in so many processes; gives each result when it is there.

    With one it is this process. Others share the CPU's threads, and end with this one, however it
    ends; what they trained so far is in the folders of the trainings.

    Args:
        conditions: Of all trainings.
        images: What `conditions` gives.
        jobs: What to train, and its name.
        workers: How many at once.

    Raises:
        ValueError: A training failed.
        BrokenProcessPool: A process was killed.
    """
    if workers == 1:
        runner = JobRunner(conditions, images)
        yield from ((job, runner.train(job, name)) for job, name in jobs.items())
        return
    threads = threads_of_each(workers)
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    begin = (conditions, threads, lifeline)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=begin)
    with held, pool:
        try:
            with ctrl_c_ignored():
                futures = {pool.submit(_train, job, name): job for job, name in jobs.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            held.close()  # which ends them in mid-training
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def threads_of_each(workers: int) -> int:
    """How many of the threads that one training would have each of several gets."""
    import torch

    return max(1, torch.get_num_threads() // workers)


_runner: JobRunner | None = None  # of a process that trains beside others


def _begin(conditions: Conditions, threads: int, lifeline: Connection) -> None:
    """Make this process ready to train, and let it end when nobody holds the lifeline."""
    import torch

    global _runner  # noqa: PLW0603 - a pool has no other place for what its calls share

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all
    threading.Thread(target=_end_after, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)
    _runner = JobRunner(conditions, conditions.images())


def _end_after(lifeline: Connection) -> None:
    lifeline.poll(None)  # there is nothing but an end to come
    os._exit(1)


def _train(job: TrainingJob, name: str) -> Result:
    assert _runner is not None
    return _runner.train(job, name)
