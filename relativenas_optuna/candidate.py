"""Training and scoring of one candidate in the shared supernet, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.networks.weights import draw_weights
from relativenas_optuna.search_settings import SearchSettings, check_seed
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.calibration import calibrate
from relativenas_optuna.training.loop import EpochResult, Evaluation, evaluate, train_epoch
from relativenas_optuna.training.pictures import DataError, Pictures
from relativenas_optuna.training.randomness import generators
from relativenas_optuna.training.weight_set import Trained, WeightSet

if TYPE_CHECKING:
    from relativenas_optuna.samplers.claims import Seat
    from relativenas_optuna.spaces.cell_space import CellSpace
    from relativenas_optuna.spaces.genotype import Genotype


@dataclass
class Phases:
    """Seconds that a candidate took, by phase."""

    inherit: float = 0.0
    train: float = 0.0
    validate: float = 0.0
    commit: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a candidate's epoch.

    Attributes:
        training: How the epoch went.
        score: On the validation pictures after it.
        trained: The candidate's weights after it.
        phases: Seconds that it took so far.
    """

    training: EpochResult
    score: Evaluation
    trained: Trained
    phases: Phases = field(default_factory=Phases)


class Trainer:
    """Trains and scores candidates in a supernet with first weights of its own.

    Args:
        space: The architectures.
        training: Pictures to train on; they set the device.
        validation: Pictures to score with, on the same device.
        settings: How.
        seed: Of the first weights and all training; from 0 to 2**32 - 1.

    Raises:
        DataError: The pictures do not fit each other, or are too few.
        ValueError: The seed is out of range, or the pictures are too small for the settings.
    """

    def __init__(
        self,
        space: CellSpace,
        training: Pictures,
        validation: Pictures,
        *,
        settings: SearchSettings,
        seed: int,
    ) -> None:
        check_seed(seed)
        _check_pictures(training, validation)
        self._augmentation = Augmentation(
            padding=settings.padding, flip=settings.flip, cutout=settings.cutout
        )
        try:
            self._augmentation.check(*training.images.shape[2:])
        except ValueError as error:
            raise ValueError(
                f"{error}: take settings that fit, as 'digits' does for small pictures"
            ) from None
        self._training, self._validation = training, validation
        self._settings = settings
        self._seed = seed
        self._device = training.device
        supernet = _first_supernet(space, training, settings, seed).to(self._device)
        self.supernet = supernet.to(memory_format=torch.channels_last)
        self.weights = WeightSet(self.supernet)

    def train(self, genotype: Genotype, place: Seat) -> Outcome:
        """Train a candidate for one epoch and score it; the shared weights stay as they are.

        Order of pictures, augmentation and drop-path follow from the seed and `place` alone.
        """
        settings = self._settings
        random = generators(self._seed, place.generation, place.number, device=self._device)
        drop_path = settings.drop_path_of(place.generation)
        phases, watch = Phases(), Watch(self._device)
        with self.weights.candidate(genotype) as candidate:
            optimizer = torch.optim.SGD(
                candidate.parameters,
                lr=settings.learning_rate_of(place.generation),
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
            )
            phases.inherit = watch.lap()
            training = train_epoch(
                lambda images: self.supernet(
                    images, genotype, drop_path=drop_path, generator=random.drop_path
                ),
                candidate.parameters,
                self._training,
                module=self.supernet,
                optimizer=optimizer,
                generators=random,
                augmentation=self._augmentation,
                batch_size=settings.batch_size,
                clip=settings.clip,
                memory_format=torch.channels_last,
            )
            phases.train = watch.lap()
            score = self._score(genotype)
            phases.validate = watch.lap()
            trained = candidate.trained()
        phases.commit = watch.lap()
        return Outcome(training=training, score=score, trained=trained, phases=phases)

    def evaluate(self, genotype: Genotype) -> Evaluation:
        """Score an architecture untrained, with batch norms calibrated on the training pictures."""
        with self.weights.candidate(genotype):
            calibrate(
                lambda images: self.supernet(images, genotype),
                self._training,
                module=self.supernet,
                batch_size=self._settings.batch_size,
                generator=torch.Generator().manual_seed(self._seed),
                memory_format=torch.channels_last,
            )
            return self._score(genotype)

    def _score(self, genotype: Genotype) -> Evaluation:
        return evaluate(
            lambda images: self.supernet(images, genotype),
            self._validation,
            module=self.supernet,
            batch_size=2 * self._settings.batch_size,  # without gradients there is room for more
            memory_format=torch.channels_last,
        )


class Watch:
    """Seconds between laps, on a device that may run behind."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, or since the start."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = perf_counter()
        seconds, self._start = now - self._start, now
        return seconds


def _first_supernet(
    space: CellSpace, pictures: Pictures, settings: SearchSettings, seed: int
) -> Supernet:
    # torch fills new layers from its global stream, which is not ours to move on.
    with torch.random.fork_rng(devices=[]):
        supernet = Supernet(
            space,
            channels=settings.channels,
            cells=settings.cells,
            num_classes=len(pictures.classes),
            in_channels=pictures.images.shape[1],
        )
    draw_weights(supernet, torch.Generator().manual_seed(seed))
    return supernet


def _check_pictures(training: Pictures, validation: Pictures) -> None:
    if len(training) < 2 or len(validation) < 1:
        raise DataError(
            f"a search needs at least 2 pictures to train on and 1 to score with; got "
            f"{len(training)} and {len(validation)}"
        )
    if training.classes != validation.classes:
        raise DataError(
            f"validation pictures must have the classes of the training pictures, "
            f"{', '.join(training.classes)}; got {', '.join(validation.classes)}"
        )
    shapes = [tuple(pictures.images.shape[1:]) for pictures in (training, validation)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"validation pictures must have the shape of the training pictures, {shapes[0]}; got "
            f"{shapes[1]}"
        )
    if min(shapes[0][1:]) < Supernet.least_size:
        raise DataError(
            f"pictures must have at least {Supernet.least_size}x{Supernet.least_size} pixels; got "
            f"{shapes[0][2]}x{shapes[0][1]}"
        )
