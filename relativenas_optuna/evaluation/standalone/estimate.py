"""Measure steps of a training before it begins: its duration, and the best number of threads."""

from __future__ import annotations

import statistics
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.setup import counts
from relativenas_optuna.evaluation.standalone.task_runner import TaskRunner
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.training.data.streamed import StreamedImages
from relativenas_optuna.training.step_time import images_of_step
from relativenas_optuna.training.threads import ThreadChoice, choose_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_FEW = 8  # images of the first step, which shows whether whole batches are fast enough to time
_PATIENCE = 5.0  # seconds for a whole batch
_STEPS = 2
_LEAST, _MEASURE = 3, 0.5  # measured steps, and their seconds in all


def seconds_of_epoch(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    *,
    recipe: Recipe,
    device: torch.device,
    task: Task | None = None,
) -> float:
    """Estimate the duration of an epoch in seconds, by training the network for a few steps.

    Whole batches are timed if one takes a few seconds at most; otherwise a few images are.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        device: Device to train on, in one process.
        task: Task of the network; None for classification.
    """
    batch = max(2, recipe.batch_size // recipe.accumulate)
    few = min(_FEW, batch, len(training))

    def of_image(size: int, steps: int) -> float:
        """Return the seconds per training image; validation images are counted like them."""
        count = min(size * steps, len(training))
        trainer = _trainer_of(
            genotype, training, count, size, recipe=recipe, device=device, task=task
        )
        start = perf_counter()
        _train(trainer)
        return (perf_counter() - start) / count

    # The first steps of a process take longer than others.
    waited_for = of_image(few, 1) * batch < _PATIENCE
    return len(training) * (of_image(batch, _STEPS) if waited_for else of_image(few, 1))


def measured_epoch(
    genotype: AnyGenotype,
    training: AnyImages,
    *,
    recipe: Recipe,
    seed: int,
    device: torch.device,
) -> float:
    """Return the duration of an epoch in seconds, the validation included, by timing whole steps.

    It takes about a second, or three steps if these take longer. The median counts, since
    other programs can delay a step.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        seed: Seed of the training, which draws the validation part.
        device: Device to train on, in one process.
    """
    trained, validated = counts(training, recipe, seed=seed)

    def trainer_of(count: int) -> StandaloneTrainer:
        return _trainer_of(genotype, training, count, count, recipe=recipe, device=device)

    def seconds(step: Callable[[], object]) -> float:
        start = perf_counter()
        step()
        return perf_counter() - start

    def of_few(images: int) -> float:
        return seconds(partial(_train, trainer_of(images)))

    most = min(max(2, recipe.batch_size // recipe.accumulate), len(training))
    batch = images_of_step(of_few, most, seconds=_PATIENCE)
    trainer, part = trainer_of(batch), training.subset(range(batch))
    _train(trainer)  # the first step takes longer
    step = _median(lambda: seconds(partial(_train, trainer)))
    score = _median(lambda: seconds(partial(trainer.score, part))) if validated else 0.0
    return (trained * step + validated * score) / batch


def choose_training_threads(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    *,
    recipe: Recipe,
    most: int,
    task: Task | None = None,
) -> ThreadChoice:
    """Set the number of CPU threads that is best for a training, see `choose_threads`.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        most: Largest number of threads, at least 1.
        task: Task of the network; None for classification.
    """
    trainers: dict[int, StandaloneTrainer] = {}

    def step(count: int) -> None:
        if count not in trainers:
            trainers[count] = _trainer_of(
                genotype,
                training,
                count,
                count,
                recipe=recipe,
                device=torch.device("cpu"),
                task=task,
            )
        _train(trainers[count])

    batch = max(2, recipe.batch_size // recipe.accumulate)
    return choose_threads(step, min(batch, len(training)), most=most)


def _trainer_of(
    genotype: AnyGenotype,
    training: AnyImages | Samples,
    count: int,
    batch_size: int,
    *,
    recipe: Recipe,
    device: torch.device,
    task: Task | None = None,
) -> StandaloneTrainer:
    """Return a trainer of a network of its own on the first `count` images."""
    part: Any = training.subset(range(count))
    if isinstance(part, StreamedImages | Samples):
        part = replace(part, workers=0)  # workers take longer to start than a few images
    trial = replace(recipe, batch_size=batch_size, accumulate=1, validation_fraction=0.0)
    return StandaloneTrainer(
        genotype,
        part,
        recipe=trial,
        seed=0,
        group=ProcessGroup(device=device),
        runner=None if task is None else TaskRunner(task, genotype, trial, part),
    )


def _median(measure: Callable[[], float]) -> float:
    """Return the median of measured times, of at least three, and for at least `_MEASURE`."""
    times: list[float] = []
    while len(times) < _LEAST or sum(times) < _MEASURE:
        times.append(measure())
    return statistics.median(times)


def _train(trainer: StandaloneTrainer) -> None:
    with suppress(DivergedError):  # a diverged step takes as long as others
        trainer.epoch(0, None)
