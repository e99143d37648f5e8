"""Train and score the network of a task such as segmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from relativenas_optuna.evaluation.standalone.epoch_runner import (
    EpochSetup,
    ScoreFigures,
    TrainingFigures,
    own_images,
)
from relativenas_optuna.evaluation.tasks.measuring import fill_meter
from relativenas_optuna.evaluation.tasks.network import task_network
from relativenas_optuna.evaluation.tasks.samples import Samples
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.batch_steps import epoch_batches, train_batches
from relativenas_optuna.training.modes import mode
from relativenas_optuna.training.randomness import generators

if TYPE_CHECKING:
    from typing import Any

    from torch import nn

    from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.evaluation.tasks.task import Task
    from relativenas_optuna.networks.io.network_file import StoredNetwork
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_UNUSED = (
    "padding", "cutout", "drop_path", "label_smoothing", "random_resized_crop", "color_jitter",
)  # fmt: skip
"""Fields of a recipe for classification only."""
_SMALLER = 4
"""Training part over scoring batch, since whole images can be larger than crops for training."""


@dataclass(frozen=True)
class TaskRunner:
    """An `EpochRunner` for annotated images.

    Attributes:
        task: The task.
        genotype: The architecture of the backbone.
        recipe: Recipe of the training.
        samples: All training images, the validation part included.
        backbone: Trained weights of the backbone; None for initial weights.
    """

    task: Task
    genotype: AnyGenotype
    recipe: Recipe
    samples: Samples
    backbone: StoredNetwork | None = None

    def new_network(self, seed: int) -> nn.Module:
        """Return the network with initial weights; see `EpochRunner`."""
        return task_network(
            self.task,
            self.genotype,
            self.recipe,
            self.samples.classes,
            seed=seed,
            backbone=self.backbone,
        )

    def has_unused_parameters(self, network: nn.Module) -> bool:
        """Return True, since a loss may leave out any layer; see `EpochRunner`."""
        return True

    def check_memory(self, network: nn.Module, parts: int, autocast: torch.dtype | None) -> None:
        """Check nothing, because the memory of a task's loss is not known beforehand."""

    def train(self, images: Samples, setup: EpochSetup) -> TrainingFigures:
        """Train for one epoch; see `EpochRunner`."""
        recipe, parts = self.recipe, setup.batch_parts
        for group in setup.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_of(setup.place)
        random = generators(setup.seed, setup.number)
        batches = epoch_batches(len(images), recipe.batch_size, parts)
        order = torch.randperm(len(images), generator=random.order)
        own = [order[start:stop] for bounds in batches for start, stop in parts.own(*bounds)]
        losses: list[Tensor] = []

        def loss(inputs: Tensor, targets: Any) -> Tensor:
            mean = self.task.loss(setup.run, inputs, targets, recipe)
            losses.append(mean.detach().float() * len(inputs))
            return mean

        with mode(setup.run, training=True):
            train_batches(
                [loss] * parts.accumulate,
                images.pieces(own, random.augmentation.initial_seed()),
                batches,
                parameters=setup.network.parameters(),
                optimizer=setup.optimizer,
                clip=recipe.clip or None,
                memory_format=torch.channels_last,
                autocast=setup.autocast,
                scaler=setup.scaler,
                batch_parts=parts,
                no_sync=setup.no_sync,
                after=lambda number: setup.on_batch(batches[number][1]),
            )
        count, sums = sum(map(len, own)), torch.stack(losses).tolist()
        total = math.fsum(sums) if all(map(math.isfinite, sums)) else sum(sums)
        return TrainingFigures(loss=total / count, accuracy=None, count=count)

    def score(
        self,
        network: nn.Module,
        images: Samples,
        *,
        group: ProcessGroup,
        batch_size: int,
        autocast: torch.dtype | None,
    ) -> ScoreFigures:
        """Return the figures of the task; see `EpochRunner`."""
        meter = self.task.meter(images)
        fill_meter(
            self.task,
            network,
            own_images(images, group),
            meter,
            batch_size=max(1, batch_size // _SMALLER),
            autocast=autocast,
        )
        first, *others = group.gathered(meter)
        for other in others:
            first.merge(other)
        figures = first.result()
        if odd := [name for name, value in figures.items() if not math.isfinite(value)]:
            raise ValueError(f"figure {odd[0]} of task {self.task.name} is not a finite number")
        return ScoreFigures(figures=figures)


def check_task_fit(task: Task, recipe: Recipe, training: object, test: object) -> None:
    """Raise if a recipe cannot train a task's network on these images.

    Raises:
        DataError: The images are not `Samples`, or the test images have other classes.
        TaskError: A library that the metric needs is not installed.
        ValueError: A field of the recipe has no meaning for the task, or does not fit the images.
    """
    for images in (training, test):
        if images is not None and not isinstance(images, Samples):
            raise DataError(f"images for task {task.name} must be Samples, got {images!r:.80}")
    for name in _UNUSED:
        if getattr(recipe, name) != 0:
            raise ValueError(
                f"{name} must be 0 or false, because it has no effect for task {task.name}; got "
                f"{getattr(recipe, name)}"
            )
    if isinstance(training, Samples) and isinstance(test, Samples):
        require_same_classes(training.classes, test.classes)
    if isinstance(training, Samples):
        # Otherwise a missing library would end the training after its first epoch, and lose it.
        task.meter(training.subset([0]))


def require_same_classes(own: tuple[str, ...], given: tuple[str, ...]) -> None:
    """Raise `DataError` if test images have other classes than a network or its training."""
    if own != given:
        odd = min(set(own) ^ set(given), default="their order")
        raise DataError(
            f"test images must have the classes of the training images; they differ in {odd!r}"
        )
