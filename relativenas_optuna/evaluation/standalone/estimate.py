"""Measure steps of a training before it begins: its duration, and the best number of threads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.training.data.streamed import StreamedImages
from relativenas_optuna.training.threads import ThreadChoice, choose_threads

if TYPE_CHECKING:
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.images import Images

_FEW = 8  # images of the first step, which shows whether whole batches are fast enough to time
_PATIENCE = 5.0  # seconds for a whole batch
_STEPS = 2


def seconds_of_epoch(
    genotype: AnyGenotype,
    training: Images | StreamedImages,
    *,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Estimate the duration of an epoch in seconds, by training the network for a few steps.

    Whole batches are timed if one takes a few seconds at most; otherwise a few images are.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        device: Device to train on, in one process.
    """
    batch = max(2, recipe.batch_size // recipe.accumulate)
    few = min(_FEW, batch, len(training))

    def of_image(size: int, steps: int) -> float:
        """Return the seconds per training image; validation images are counted like them."""
        count = min(size * steps, len(training))
        trainer = _trainer_of(genotype, training, count, size, recipe=recipe, device=device)
        start = perf_counter()
        _train(trainer)
        return (perf_counter() - start) / count

    # The first steps of a process take longer than others.
    waited_for = of_image(few, 1) * batch < _PATIENCE
    return len(training) * (of_image(batch, _STEPS) if waited_for else of_image(few, 1))


def choose_training_threads(
    genotype: AnyGenotype, training: Images | StreamedImages, *, recipe: Recipe, most: int
) -> ThreadChoice:
    """Set the number of CPU threads that is best for a training, see `choose_threads`.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        most: Largest number of threads, at least 1.
    """
    trainers: dict[int, StandaloneTrainer] = {}

    def step(count: int) -> None:
        if count not in trainers:
            trainers[count] = _trainer_of(
                genotype, training, count, count, recipe=recipe, device=torch.device("cpu")
            )
        _train(trainers[count])

    batch = max(2, recipe.batch_size // recipe.accumulate)
    return choose_threads(step, min(batch, len(training)), most=most)


def _trainer_of(
    genotype: AnyGenotype,
    training: Images | StreamedImages,
    count: int,
    batch_size: int,
    *,
    recipe: Recipe,
    device: torch.device,
) -> StandaloneTrainer:
    """Return a trainer of a network of its own on the first `count` images."""
    part = training.subset(range(count))
    if isinstance(part, StreamedImages):
        part = replace(part, workers=0)  # workers take longer to start than a few images
    trial = replace(recipe, batch_size=batch_size, accumulate=1, validation_fraction=0.0)
    return StandaloneTrainer(
        genotype, part, recipe=trial, seed=0, group=ProcessGroup(device=device)
    )


def _train(trainer: StandaloneTrainer) -> None:
    with suppress(DivergedError):  # a diverged step takes as long as others
        trainer.epoch(0, None)
