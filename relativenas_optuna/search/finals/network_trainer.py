"""Train and score single networks of the finals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.search.finals.networks import averaged_network, initial_network
from relativenas_optuna.search.finals.scores import DIVERGED, RungScore
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import CALIBRATION_IMAGES, calibrate, sample_of
from relativenas_optuna.training.loop import evaluate, train_epoch
from relativenas_optuna.training.randomness import generators

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.optim.swa_utils import AveragedModel

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.search.finals.settings import FinalsSettings
    from relativenas_optuna.spaces.space_genotype import AnyGenotype
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.loop import EpochResult
    from relativenas_optuna.training.randomness import Generators

_LEAST_STEPS, _LEAST_BATCH = 40, 16


def batch_size_of(images: int, *, most: int) -> int:
    """Return the number of images in a step: a power of two with at least 40 steps in an epoch.

    Few images need small batches, since a short training needs steps.

    Args:
        images: Number of images to train on.
        most: Largest result; the smallest one is 16, or `most` if that is less.
    """
    wanted = 2 ** max(0, math.floor(math.log2(images / _LEAST_STEPS))) if images else 1
    return min(most, max(_LEAST_BATCH, wanted))


class NetworkTrainer:
    """A trainer of single networks, with the same random numbers for all architectures.

    Args:
        training: Images to train on; they set the device.
        validation: Images to score with.
        settings: Settings of the finals.
        search: Settings of the search, for all that the settings of the finals leave open.
        seed: Seed of the initial weights and the training, 0 to 2**32 - 1.

    Attributes:
        batch_size: Number of images in a step.
    """

    def __init__(
        self,
        training: ImageSet,
        validation: ImageSet,
        *,
        settings: FinalsSettings,
        search: SearchSettings,
        seed: int,
    ) -> None:
        self._training, self._validation = training, validation
        self._settings, self._search, self._seed = settings, search, seed
        self.batch_size = settings.batch_size or batch_size_of(
            len(training), most=search.batch_size
        )
        self._autocast = torch.bfloat16 if search.precision == "bfloat16" else None

    def new(self, genotype: AnyGenotype) -> tuple[nn.Module, AveragedModel]:
        """Return a network with initial weights, and the moving average of its weights.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        network = initial_network(genotype, self._settings, self._training, seed=self._seed)
        network = network.to(self._training.device)
        return network, averaged_network(
            network, images=len(self._training), batch_size=self.batch_size
        )

    def train(
        self,
        network: nn.Module,
        average: AveragedModel,
        epochs: int,
        *,
        rung: int,
        augmentation: Augmentation,
        on_batch: Callable[[], None],
    ) -> bool:
        """Train a network for the epochs of a rung, and update the average of its weights.

        Args:
            network: The network.
            average: Average of its weights, see `averaged_network`.
            epochs: Number of epochs.
            rung: Number of the rung, from 0, which gives the random numbers.
            augmentation: Augmentation of the images to train on.
            on_batch: Called after every batch.

        Returns:
            False if the training diverged.
        """
        optimizer = self._optimizer(network)

        def after_batch(images: int) -> None:
            average.update_parameters(network)
            on_batch()

        for epoch in range(epochs):
            random = generators(self._seed, rung, epoch, 0, device=self._training.device)
            result = self._epoch(
                network,
                optimizer,
                self._training,
                random,
                after_batch,
                augmentation=augmentation,
            )
            if not math.isfinite(result.loss):
                return False
        return True

    def step(self, genotype: AnyGenotype) -> tuple[Callable[[], object], int]:
        """Return a function that trains a new network for one step, and the images in a step.

        Raises:
            SpaceError: The space has no stand-alone networks.
        """
        network, average = self.new(genotype)
        optimizer = self._optimizer(network)
        images = self._training.subset(range(min(self.batch_size, len(self._training))))
        random = generators(self._seed, 0, 0, 0, device=images.device)
        whole = Augmentation(padding=0, flip=False, cutout=0)

        def after_batch(_: int) -> None:
            average.update_parameters(network)

        def step() -> None:
            self._epoch(network, optimizer, images, random, after_batch, augmentation=whole)

        return step, len(images)

    def score(self, network: nn.Module) -> RungScore:
        """Score a network after its batch norms took the statistics of training images.

        Those of the last steps belong to single weights, not to their average.
        """
        calibrate(
            network,
            sample_of(self._training, CALIBRATION_IMAGES, seed=self._seed),
            module=network,
            batch_size=2 * self.batch_size,
            generator=torch.Generator().manual_seed(self._seed),
            memory_format=torch.channels_last,
        )
        score = evaluate(
            network,
            self._validation,
            module=network,
            batch_size=2 * self.batch_size,  # without gradients there is room for more
            memory_format=torch.channels_last,
            autocast=self._autocast,
        )
        return (
            RungScore(loss=score.loss, accuracy=score.accuracy)
            if math.isfinite(score.loss)
            else DIVERGED
        )

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            network.parameters(),
            lr=self._settings.learning_rate,
            momentum=self._search.momentum,
            weight_decay=self._search.weight_decay,
        )

    def _epoch(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        images: ImageSet,
        random: Generators,
        on_batch: Callable[[int], None],
        *,
        augmentation: Augmentation,
    ) -> EpochResult:
        return train_epoch(
            network,
            network.parameters(),
            images,
            module=network,
            optimizer=optimizer,
            generators=random,
            augmentation=augmentation,
            batch_size=self.batch_size,
            clip=self._search.clip,
            memory_format=torch.channels_last,
            autocast=self._autocast,
            on_batch=on_batch,
        )
