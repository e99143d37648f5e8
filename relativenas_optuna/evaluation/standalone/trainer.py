"""Train and score one network by a recipe, in one process or several."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.evaluation.standalone.epoch import augmentation_of, one_epoch, sgd
from relativenas_optuna.evaluation.standalone.result import Epoch
from relativenas_optuna.evaluation.standalone.setup import (
    RecipeLoss,
    new_network,
    precision_of,
    scaler_of,
    unused_parameters,
)
from relativenas_optuna.evaluation.standalone.time_limit import TimeLimit
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.networks.activations import activation_bytes
from relativenas_optuna.networks.meta_copy import meta_copy
from relativenas_optuna.spaces.space_genotype import cells_of, is_built_in
from relativenas_optuna.training.batch_parts import BatchParts
from relativenas_optuna.training.loop import evaluate
from relativenas_optuna.training.step_memory import check_step_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.streamed import StreamedImages


class StandaloneTrainer:
    """A trainer of one network by a recipe.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included.
        recipe: Recipe of the training.
        seed: Seed of the validation part, the initial weights and the training.
        group: Processes that train together.
        seconds: Wall time of the training in seconds, for which the epochs of the recipe stand;
            None to train these epochs.

    Attributes:
        genotype: The architecture.
        recipe: Recipe of the training.
        group: Processes that train together.
        network: Network on the device of this process, in channels-last.
        optimizer: Optimizer of its parameters.
        scaler: Gradient scaler of the loss for float16; None for other types.

    Raises:
        ValueError: The recipe does not fit the images or the processes.
    """

    def __init__(
        self,
        genotype: AnyGenotype,
        training: Images | StreamedImages,
        *,
        recipe: Recipe,
        seed: int,
        group: ProcessGroup,
        seconds: float | None = None,
    ) -> None:
        if seconds is not None and group.processes > 1:
            raise ValueError(
                f"seconds must be None for a training by {group.processes} processes, whose clocks "
                f"differ; got {seconds}"
            )
        self._limit = None if seconds is None else TimeLimit(seconds, recipe.epochs)
        self.genotype, self.recipe, self.group = genotype, recipe, group
        self._seed = seed
        self._parts = BatchParts(
            processes=group.processes, process=group.process, accumulate=recipe.accumulate
        )
        if recipe.batch_size < 2 * self._parts.count:
            raise ValueError(
                f"batch_size must be at least {2 * self._parts.count} for {group.processes} "
                f"processes, got {recipe.batch_size}"
            )
        network = new_network(
            genotype,
            recipe,
            in_channels=training.shape[0],
            classes=len(training.classes),
            seed=seed,
        )
        self._autocast = precision_of(recipe, group.device)
        # A network of the user may not run on the meta device.
        self._unused = not is_built_in(genotype) or bool(unused_parameters(network, training.shape))
        if group.device.type == "cpu":
            self._check_memory(network, training)
        self.network = network.to(group.device)
        self.optimizer = sgd(self.network, recipe)
        self.scaler = scaler_of(self._autocast, group.device)
        self._running: nn.Module | None = None
        self._augmentation = augmentation_of(recipe)
        if recipe.random_resized_crop:  # these images are mirrored when they are read
            self._augmentation = replace(self._augmentation, flip=False)
        self._loss = RecipeLoss(recipe.label_smoothing, recipe.auxiliary)
        validation: Images | StreamedImages | None = None
        if recipe.validation_fraction:
            training, validation = training.split(1 - recipe.validation_fraction, seed=seed)
        self._training = training.to(group.device)
        self._validation = validation and validation.to(group.device)

    def is_done(self, history: Sequence[Epoch]) -> bool:
        """Return True if the training is over after the epochs in `history`."""
        if self._limit is None:
            return len(history) >= self.recipe.epochs
        return self._limit.is_over(history)

    def epoch(
        self,
        number: int,
        on_batch: Callable[[int], None] | None,
        history: Sequence[Epoch] = (),
    ) -> Epoch:
        """Train for one epoch and score the validation part.

        Args:
            number: Number of the epoch, from 0.
            on_batch: Function that is called after every batch with the number of images done so
                far; None to call nothing.
            history: The epochs before, for a training with a time; its last epoch may take only a
                part of the images.

        Raises:
            DivergedError: The loss or a weight is not finite.
        """
        start, limit, images, place = perf_counter(), self._limit, self._training, float(number)
        if limit is not None:
            limit.begin_epoch(history)
            place = limit.place
            images = limit.part(images, history, least=self.recipe.batch_size, seed=self._seed)
        if self._running is None:  # not earlier, since wrapping copies the weights that are loaded
            self._running = self.group.data_parallel(self.network, unused=self._unused)
        trained = one_epoch(
            self.network,
            self.optimizer,
            images,
            schedule=self.recipe,
            epoch=number,
            place=place,
            seed=self._seed,
            augmentation=self._augmentation,
            run=self._running,
            loss=self._loss,
            autocast=self._autocast,
            scaler=self.scaler,
            batch_parts=self._parts,
            no_sync=self.group.no_sync(self._running),
            on_batch=partial(self._after_batch, on_batch),
        )
        self.group.average_buffers(self.network)
        loss, accuracy = self._means(trained.loss, trained.accuracy, trained.count)
        self._require_finite(number, loss)
        scoring = perf_counter()
        found = None if self._validation is None else self.score(self._validation)
        if limit is not None:
            limit.validation_seconds = perf_counter() - scoring
        if found is not None:
            self._require_finite(number, found[0])
        return Epoch(
            epoch=number,
            learning_rate=self.recipe.learning_rate_of(place),
            drop_path=self.recipe.drop_path_of(place),
            training_loss=loss,
            training_accuracy=accuracy,
            validation_loss=None if found is None else found[0],
            validation_accuracy=None if found is None else found[1],
            seconds=perf_counter() - start if limit is None else limit.end_epoch(),
        )

    def _after_batch(self, on_batch: Callable[[int], None] | None, images: int) -> None:
        if self._limit is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate_of(self._limit.place)
        if on_batch is not None:
            on_batch(images)

    def score(self, images: Images | StreamedImages) -> tuple[float, float]:
        """Return cross-entropy and accuracy on some images, which are divided among processes."""
        own = images
        if self.group.processes > 1:
            own = images.subset(range(self.group.process, len(images), self.group.processes))
        if len(own) == 0:  # there are fewer images than processes
            return self._means(0.0, 0.0, 0)
        found = evaluate(
            self.network,
            own.to(self.group.device),
            module=self.network,
            # Without gradients there is memory for larger batches.
            batch_size=2 * max(1, self.recipe.batch_size // self._parts.count),
            memory_format=torch.channels_last,
            autocast=self._autocast,
        )
        return self._means(found.loss, found.accuracy, found.count)

    def _check_memory(self, network: nn.Module, training: Images | StreamedImages) -> None:
        """Raise `DataError` if training on a part of a batch does not fit in memory."""
        recipe, cells = self.recipe, cells_of(self.genotype)
        if cells is None:  # the memory of networks of other spaces is not known beforehand
            return
        nodes = max(len(cell.nodes) for cell in (cells.normal, cells.reduce))

        def activations() -> float:
            copy = meta_copy(network).train()
            found = activation_bytes(copy, copy, training.shape)
            return found / 2 if self._autocast is not None else found

        check_step_memory(
            activations,
            images=max(1, min(recipe.batch_size, len(training)) // self._parts.count),
            input_size=training.shape,
            width=recipe.channels * recipe.cells * nodes,
        )

    def _means(self, loss: float, accuracy: float, count: int) -> tuple[float, float]:
        """Return the means over the images of all processes."""
        if self.group.processes == 1:
            return loss, accuracy
        losses, right, counts = self.group.sums([loss * count, accuracy * count, count])
        return losses / counts, right / counts

    def _require_finite(self, number: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training diverged in epoch {number + 1}, its loss is {loss}: set a lower "
                f"learning_rate (it was {self.recipe.learning_rate_of(number):.4g}), or set clip"
            )
        if not all(bool(p.isfinite().all()) for p in self.network.parameters()):
            self._require_finite(number, math.nan)
