"""Train and score a classifier of labelled images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.evaluation.standalone.epoch import augmentation_of, one_epoch
from relativenas_optuna.evaluation.standalone.epoch_runner import (
    EpochSetup,
    ScoreFigures,
    TrainingFigures,
    own_images,
)
from relativenas_optuna.evaluation.standalone.setup import (
    RecipeLoss,
    new_network,
    unused_parameters,
)
from relativenas_optuna.networks.activations import activation_bytes
from relativenas_optuna.networks.meta_copy import meta_copy
from relativenas_optuna.spaces.space_genotype import cells_of, is_built_in
from relativenas_optuna.training.loop import evaluate
from relativenas_optuna.training.step_memory import check_step_memory

if TYPE_CHECKING:
    from torch import nn

    from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.recipe import Recipe
    from relativenas_optuna.spaces.space_genotype import AnyGenotype


@dataclass(frozen=True)
class ClassificationRunner:
    """An `EpochRunner` for labelled images.

    Attributes:
        genotype: The architecture.
        recipe: Recipe of the training.
        images: All training images, the validation part included.
    """

    genotype: AnyGenotype
    recipe: Recipe
    images: AnyImages

    def new_network(self, seed: int) -> nn.Module:
        """Return the network with initial weights; see `EpochRunner`."""
        return new_network(
            self.genotype,
            self.recipe,
            in_channels=self.images.shape[0],
            classes=len(self.images.classes),
            seed=seed,
        )

    def has_unused_parameters(self, network: nn.Module) -> bool:
        """Return True if there are some; see `EpochRunner`."""
        # A network of the user may not run on the meta device.
        return not is_built_in(self.genotype) or bool(unused_parameters(network, self.images.shape))

    def check_memory(self, network: nn.Module, parts: int, autocast: torch.dtype | None) -> None:
        """Raise if a step does not fit in memory; see `EpochRunner`."""
        recipe, cells, shape = self.recipe, cells_of(self.genotype), self.images.shape
        if cells is None:  # the memory of networks of other spaces is not known beforehand
            return
        nodes = max(len(cell.nodes) for cell in (cells.normal, cells.reduce))

        def activations() -> float:
            copy = meta_copy(network).train()
            found = activation_bytes(copy, copy, shape)
            return found / 2 if autocast is not None else found

        check_step_memory(
            activations,
            images=max(1, min(recipe.batch_size, len(self.images)) // parts),
            input_size=shape,
            width=recipe.channels * recipe.cells * nodes,
        )

    def train(self, images: AnyImages, setup: EpochSetup) -> TrainingFigures:
        """Train for one epoch; see `EpochRunner`."""
        recipe = self.recipe
        augmentation = augmentation_of(recipe)
        if recipe.random_resized_crop:  # these images are mirrored when they are read
            augmentation = replace(augmentation, flip=False)
        found = one_epoch(
            setup.network,
            setup.optimizer,
            images,
            schedule=recipe,
            epoch=setup.number,
            place=setup.place,
            seed=setup.seed,
            augmentation=augmentation,
            run=setup.run,
            loss=RecipeLoss(recipe.label_smoothing, recipe.auxiliary),
            autocast=setup.autocast,
            scaler=setup.scaler,
            batch_parts=setup.batch_parts,
            no_sync=setup.no_sync,
            on_batch=setup.on_batch,
        )
        return TrainingFigures(loss=found.loss, accuracy=found.accuracy, count=found.count)

    def score(
        self,
        network: nn.Module,
        images: AnyImages,
        *,
        group: ProcessGroup,
        batch_size: int,
        autocast: torch.dtype | None,
    ) -> ScoreFigures:
        """Return cross-entropy and accuracy; see `EpochRunner`."""
        own = own_images(images, group)
        loss, accuracy, count = 0.0, 0.0, 0
        if len(own):  # there can be fewer images than processes
            found = evaluate(
                network,
                own,
                module=network,
                # Without gradients there is memory for larger batches.
                batch_size=2 * batch_size,
                memory_format=torch.channels_last,
                autocast=autocast,
            )
            loss, accuracy, count = found.loss, found.accuracy, found.count
        loss, accuracy = group.means([loss, accuracy], count)
        return ScoreFigures(loss=loss, accuracy=accuracy)
