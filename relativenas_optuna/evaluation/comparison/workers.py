"""Run the trainings of a comparison one after the other, or in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from relativenas_optuna._utils.signals import ctrl_c_ignored
from relativenas_optuna.evaluation.comparison.torchvision_models import TORCHVISION_SPACE
from relativenas_optuna.evaluation.standalone.images import images_for
from relativenas_optuna.exceptions import DataError, DivergedError
from relativenas_optuna.spaces.registry import load_space
from relativenas_optuna.spaces.space_genotype import SpaceGenotype, space_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from relativenas_optuna.evaluation.comparison.contestants import TrainingJob
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.standalone.result import Result
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection as Connection
    else:
        from multiprocessing.connection import Connection

HELD_OUT = 0.2
"""Share of the training images that are held out to test with, if there are no test images."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions that all trainings of a comparison share.

    Attributes:
        data: Name of a data set or folder of images; see `load_images`.
        recipe: Recipe of the trainings.
        device: Name of the device to train on.
        out: Folder with a sub-folder for each training.
        seconds: Wall time of the training of each architecture in seconds, by its text; None to
            train the epochs of the recipe.
        holds_out: True to test with a fifth of the training images, which are not trained on, if
            the data has no test images.
    """

    data: str
    recipe: Recipe
    device: str
    out: Path
    seconds: Mapping[str, float] | None = None
    holds_out: bool = False

    def recipe_of(self, genotype: AnyGenotype) -> Recipe:
        """Return the recipe of the training of an architecture."""
        recipe = self.recipe
        if space_of(genotype) == TORCHVISION_SPACE:
            # These fields are for our own networks only.
            recipe = replace(recipe, family="cifar", auxiliary=0.0, pool_norm="auto")
        return recipe

    def images(self) -> tuple[AnyImages, AnyImages]:
        """Load the training images and the test images.

        Raises:
            DataError: The images cannot be loaded; or there are no test images, and `holds_out` is
                False.
        """
        training, test = images_for(self.recipe, self.data)
        if test is None and self.holds_out:
            training, test = training.split(1 - HELD_OUT, seed=0)
        if test is None:
            raise DataError(
                f"data {self.data!r} has no test images to compare with: put them in its "
                f"sub-folder test, and the training images in train"
            )
        return training, test


class JobRunner:
    """A runner of trainings in this process.

    Args:
        conditions: Conditions of all trainings.
        images: Training images and test images.
    """

    def __init__(self, conditions: Conditions, images: tuple[AnyImages, AnyImages]) -> None:
        self._conditions = conditions
        self._training, self._test = images

    def train(self, job: TrainingJob, name: str) -> Result:
        """Start or continue a training, and return its result.

        A finished training is not repeated.

        Args:
            job: Training to run.
            name: Name of the architecture.

        Raises:
            DivergedError: The loss is not finite; the message names the architecture.
            SearchError: The folder holds a training under other conditions.
            ValueError: The training failed.
        """
        of = self._conditions
        # Imported late, so that a test can replace it by something faster.
        from relativenas_optuna.evaluation.standalone.run import training_run

        try:
            return training_run(
                job.genotype,
                self._training,
                recipe=of.recipe_of(job.genotype),
                seed=job.seed,
                out=of.out / job.folder,
                test=self._test,
                seconds=None if of.seconds is None else of.seconds[job.genotype.to_text()],
                device=of.device,
                name=name,
            )
        except DivergedError as error:
            raise DivergedError(
                f"{name}, seed {job.seed}: {error}; the recipe holds for all trainings, so use "
                f"another --out with another recipe"
            ) from error


def train_all(
    conditions: Conditions,
    images: tuple[AnyImages, AnyImages],
    jobs: Mapping[TrainingJob, str],
    *,
    workers: int,
) -> Iterator[tuple[TrainingJob, Result]]:
    """Run trainings in `workers` processes, and yield each result as soon as it is there.

    One worker trains in this process. Several workers are processes, each with as many threads of
    PyTorch as this one; they end when this process ends, also if it is killed. Finished epochs are
    in the folders of the trainings.

    Args:
        conditions: Conditions of all trainings.
        images: Training images and test images, as `conditions.images` returns them.
        jobs: Trainings to run, with the names of the architectures.
        workers: Number of trainings at a time.

    Raises:
        ValueError: A training failed.
        BrokenProcessPool: A process was killed.
    """
    if workers == 1:
        runner = JobRunner(conditions, images)
        yield from ((job, runner.train(job, name)) for job, name in jobs.items())
        return
    import torch

    threads = torch.get_num_threads()
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
            held.close()  # ends the processes in the middle of a training
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_runner: JobRunner | None = None  # in a process of the pool


def _begin(conditions: Conditions, threads: int, lifeline: Connection) -> None:
    """Prepare this process for training, and end it when the other end of `lifeline` is closed."""
    import torch

    global _runner  # noqa: PLW0603 - calls of a pool's process can share data in no other place

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes
    threading.Thread(target=_end_after, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)
    _runner = JobRunner(conditions, conditions.images())


def _end_after(lifeline: Connection) -> None:
    lifeline.poll(None)  # nothing is ever sent, so this returns when the other end is closed
    os._exit(1)


def _train(job: TrainingJob, name: str) -> Result:
    assert _runner is not None
    if isinstance(job.genotype, SpaceGenotype) and job.genotype.space is not None:
        load_space(job.genotype.space)
    return _runner.train(job, name)
