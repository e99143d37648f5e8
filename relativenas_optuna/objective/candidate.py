"""Training and scoring of candidates in the shared supernet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.initial import Build, initial_supernet
from relativenas_optuna.networks.path_cost import PathCosts
from relativenas_optuna.networks.protocol import check_path
from relativenas_optuna.objective.outcome import CandidateSteps, Outcome, Phases, Watch
from relativenas_optuna.objective.settings import SearchSettings, check_seed
from relativenas_optuna.objective.weight_set import WeightSet
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.training.augmentation import Augmentation, normalise
from relativenas_optuna.training.calibration import calibrate
from relativenas_optuna.training.data.image_set import ImageSet, require_pair
from relativenas_optuna.training.loop import (
    EpochResult,
    Evaluation,
    Report,
    evaluate,
    train_epoch,
)
from relativenas_optuna.training.randomness import Generators, generators

if TYPE_CHECKING:
    from relativenas_optuna.networks.protocol import SharedNetwork
    from relativenas_optuna.objective.weight_set import Candidate
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.metrics import Loss, Metric

A = TypeVar("A", bound=Hashable)


class CandidateTrainer(Generic[A]):
    """A trainer that trains and scores candidates in a shared supernet.

    Args:
        space: Search space.
        training: Images to train on; they set the device.
        validation: Images to score with, on the same device.
        settings: Settings of training and scoring.
        seed: Seed for the initial weights and training, 0 to 2**32 - 1.
        supernet: Supernet, or a function that builds it, see `initial_supernet`; None for the
            built-in one of the space. A given supernet is moved to the device and trained in place.
        loss: Function of (logits, labels) that returns the mean loss of a batch.
        metric: Function of (logits, labels) of all validation images that returns the score in
            place of the loss.

    Raises:
        DataError: The images do not fit each other or the supernet, or are too few.
        ProtocolError: The supernet breaks its protocol; a `ValueError`.
        TypeError: `supernet` is not a supernet, or is None for a space without a built-in one.
        ValueError: The seed is out of range, or the images are too small for the settings.
    """

    def __init__(
        self,
        space: Space[A],
        training: ImageSet,
        validation: ImageSet,
        *,
        settings: SearchSettings,
        seed: int,
        supernet: SharedNetwork[A] | Build | None = None,
        loss: Loss = functional.cross_entropy,
        metric: Metric | None = None,
    ) -> None:
        check_seed(seed)
        require_pair(training, validation)
        self._augmentation = Augmentation(
            padding=settings.padding, flip=settings.flip, cutout=settings.cutout
        )
        try:
            self._augmentation.check(*training.shape[1:])
        except ValueError as error:
            raise ValueError(
                f"{error}: take settings that fit, as 'digits' does for small images"
            ) from None
        self.training, self._validation = training, validation
        self.settings = settings
        self.seed = seed
        self.device = training.device
        self._loss, self._metric = loss, metric
        self._autocast = torch.bfloat16 if settings.precision == "bfloat16" else None
        own = initial_supernet(
            space,
            supernet,
            channels=settings.channels,
            cells=settings.cells,
            in_channels=training.shape[0],
            num_classes=len(training.classes),
            seed=seed,
        ).to(self.device)
        self.supernet = own.to(memory_format=torch.channels_last)
        _check_size(training, getattr(own, "least_size", 1))
        if supernet is not None:
            images = normalise(training.at(torch.arange(2)), *training.statistics())
            genotype = space.random(np.random.default_rng(seed))
            check_path(self.supernet, genotype, images, len(training.classes))
        self.weights = WeightSet(self.supernet)

    @cached_property
    def costs(self) -> PathCosts[A]:
        """Counter of the cost of architectures for these images, which needs no training."""
        return PathCosts(self.supernet, self.training.shape)

    def train(self, genotype: A, place: Seat, *, report: Report | None = None) -> Outcome:
        """Train a candidate for one epoch and score it; the shared weights stay as they are.

        Order of images, augmentation and drop-path depend only on the seed and `place`.

        Args:
            genotype: Architecture of the candidate.
            place: Seat of the candidate.
            report: Function that `train_epoch` calls with the running loss; None for none.

        Raises:
            Stopped: `report` ended the epoch; the candidate has no score.
        """
        phases, watch = Phases(), Watch(self.device)
        with self.weights.candidate(genotype) as candidate:
            phases.inherit = watch.lap()
            training = self._epoch(candidate, genotype, self.training, place, report)
            phases.train = watch.lap()
            score = self._score(genotype)
            phases.validate = watch.lap()
            trained, spoilt = candidate.trained(), candidate.is_spoilt()
        phases.commit = watch.lap()
        return Outcome(
            training=training, score=score, trained=trained, spoilt=spoilt, phases=phases
        )

    def evaluate(self, genotype: A) -> Evaluation:
        """Score an architecture untrained, with batch norms calibrated on the training images."""
        with self.weights.candidate(genotype):
            return self.calibrated_score(genotype, self.training)

    def calibrated_score(self, genotype: A, images: ImageSet) -> Evaluation:
        """Calibrate the batch norms of an architecture in place, and score it.

        Args:
            genotype: Architecture whose `weights.candidate` block is open.
            images: Images to calibrate on.
        """
        calibrate(
            lambda batch: self.supernet(batch, genotype),
            images,
            module=self.supernet,
            batch_size=self.settings.batch_size,
            generator=torch.Generator().manual_seed(self.seed),
            memory_format=torch.channels_last,
        )
        return self._score(genotype)

    def optimizer(self, parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
        """Return SGD with the settings' momentum and weight decay, at a learning rate."""
        return torch.optim.SGD(
            parameters,
            lr=rate,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
        )

    def epoch(
        self,
        forward: Callable[[Tensor], Tensor],
        parameters: list[nn.Parameter],
        images: ImageSet,
        *,
        optimizer: torch.optim.Optimizer,
        random: Generators,
        report: Report | None = None,
    ) -> EpochResult:
        """Train the supernet in place for one pass over images; see `train_epoch`."""
        return train_epoch(
            forward,
            parameters,
            images,
            module=self.supernet,
            optimizer=optimizer,
            generators=random,
            augmentation=self._augmentation,
            batch_size=self.settings.batch_size,
            loss=self._loss,
            clip=self.settings.clip,
            memory_format=torch.channels_last,
            autocast=self._autocast,
            report=report,
        )

    @contextmanager
    def steps(self, genotype: A) -> Iterator[CandidateSteps]:
        """Yield single steps of a candidate, to measure their time.

        At the end of the `with` block the shared weights are as before.
        """
        first = Seat(0, 0)
        with self.weights.candidate(genotype) as candidate:
            yield CandidateSteps(
                train=lambda count: self._epoch(
                    candidate, genotype, self.training.subset(range(count)), first
                ),
                score=lambda count: self._score(genotype, self._validation.subset(range(count))),
                training=min(self.settings.batch_size, len(self.training)),
                scoring=min(2 * self.settings.batch_size, len(self._validation)),
            )

    def _epoch(
        self,
        candidate: Candidate,
        genotype: A,
        images: ImageSet,
        place: Seat,
        report: Report | None = None,
    ) -> EpochResult:
        settings = self.settings
        random = generators(self.seed, place.generation, place.number, device=self.device)
        drop_path = settings.drop_path_of(place.generation)
        return self.epoch(
            lambda images: self.supernet(
                images, genotype, drop_path=drop_path, generator=random.drop_path
            ),
            candidate.parameters,
            images,
            optimizer=self.optimizer(
                candidate.parameters, settings.learning_rate_of(place.generation)
            ),
            random=random,
            report=report,
        )

    def _score(self, genotype: A, images: ImageSet | None = None) -> Evaluation:
        return evaluate(
            lambda images: self.supernet(images, genotype),
            self._validation if images is None else images,
            module=self.supernet,
            batch_size=2 * self.settings.batch_size,  # without gradients there is room for more
            loss=self._loss,
            metric=self._metric,
            memory_format=torch.channels_last,
            autocast=self._autocast,
        )


def _check_size(images: ImageSet, least: int) -> None:
    _, height, width = images.shape
    if min(height, width) < least:
        raise DataError(f"images must have at least {least}x{least} pixels; got {width}x{height}")
