"""Train and score one network by a recipe, in one process or several."""

from __future__ import annotations

import math
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from relativenas_optuna.evaluation.standalone.classification import ClassificationRunner
from relativenas_optuna.evaluation.standalone.epoch_runner import (
    EpochRunner,
    EpochSetup,
    ScoreFigures,
)
from relativenas_optuna.evaluation.standalone.result import Epoch
from relativenas_optuna.evaluation.standalone.setup import optimizer_of, precision_of, scaler_of
from relativenas_optuna.evaluation.standalone.time_limit import TimeLimit
from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.training.batch_parts import BatchParts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


class StandaloneTrainer:
    """A trainer of one network by a recipe.

    Args:
        genotype: The architecture.
        training: All training images, the validation part included; `Samples` need a runner.
        recipe: Recipe of the training.
        seed: Seed of the validation part, the initial weights and the training.
        group: Processes that train together.
        seconds: Wall time of the training in seconds, for which the epochs of the recipe stand;
            None to train these epochs.
        runner: Network, loss and figures of the task; None for classification.

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
        training: AnyImages | Samples,
        *,
        recipe: Recipe,
        seed: int,
        group: ProcessGroup,
        seconds: float | None = None,
        runner: EpochRunner | None = None,
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
        images: Any = training
        self._runner = runner or ClassificationRunner(genotype, recipe, images)
        network = self._runner.new_network(seed)
        self._autocast = precision_of(recipe, group.device)
        self._unused = self._runner.has_unused_parameters(network)
        if group.device.type == "cpu":
            self._runner.check_memory(network, self._parts.count, self._autocast)
        self.network = network.to(group.device)
        self.optimizer = optimizer_of(self.network, recipe)
        self.scaler = scaler_of(self._autocast, group.device)
        self._running: nn.Module | None = None
        validation: AnyImages | Samples | None = None
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
        start, limit, place = perf_counter(), self._limit, float(number)
        images: Any = self._training
        if limit is not None:
            limit.begin_epoch(history)
            place = limit.place
            images = limit.part(images, history, least=self.recipe.batch_size, seed=self._seed)
        if self._running is None:  # not earlier, since wrapping copies the weights that are loaded
            self._running = self.group.data_parallel(self.network, unused=self._unused)
        setup = EpochSetup(
            network=self.network,
            run=self._running,
            optimizer=self.optimizer,
            number=number,
            place=place,
            seed=self._seed,
            autocast=self._autocast,
            scaler=self.scaler,
            batch_parts=self._parts,
            no_sync=self.group.no_sync(self._running),
            on_batch=partial(self._after_batch, on_batch),
        )
        trained = self._runner.train(images, setup)
        self.group.average_buffers(self.network)
        loss, right = self.group.means([trained.loss, trained.accuracy or 0.0], trained.count)
        self._require_finite(number, loss)
        scoring = perf_counter()
        found = ScoreFigures() if self._validation is None else self.score(self._validation)
        if limit is not None:
            limit.validation_seconds = perf_counter() - scoring
        if found.loss is not None:
            self._require_finite(number, found.loss)
        return Epoch(
            epoch=number,
            learning_rate=self.recipe.learning_rate_of(place),
            drop_path=self.recipe.drop_path_of(place),
            training_loss=loss,
            training_accuracy=None if trained.accuracy is None else right,
            validation_loss=found.loss,
            validation_accuracy=found.accuracy,
            validation_figures=found.figures,
            seconds=perf_counter() - start if limit is None else limit.end_epoch(),
        )

    def _after_batch(self, on_batch: Callable[[int], None] | None, images: int) -> None:
        if self._limit is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate_of(self._limit.place)
        if on_batch is not None:
            on_batch(images)

    def score(self, images: Any) -> ScoreFigures:
        """Return the figures on some images, which are divided among processes."""
        return self._runner.score(
            self.network,
            images,
            group=self.group,
            batch_size=max(1, self.recipe.batch_size // self._parts.count),
            autocast=self._autocast,
        )

    def _require_finite(self, number: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"the training diverged in epoch {number + 1}, its loss is {loss}: set a lower "
                f"learning_rate (it was {self.recipe.learning_rate_of(number):.4g}), or set clip"
            )
        if not all(bool(p.isfinite().all()) for p in self.network.parameters()):
            self._require_finite(number, math.nan)
