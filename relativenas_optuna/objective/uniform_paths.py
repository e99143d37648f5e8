"""Training of the shared weights on uniformly drawn paths, and scores from these weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic

import torch

from relativenas_optuna.exceptions import DivergedError
from relativenas_optuna.objective.candidate import A
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.spaces.canonical import canonical, canonical_draw
from relativenas_optuna.training.calibration import CALIBRATION_IMAGES, sample_of
from relativenas_optuna.training.randomness import generators

if TYPE_CHECKING:
    import numpy as np

    from relativenas_optuna.objective.candidate import CandidateTrainer
    from relativenas_optuna.objective.shared_weights import SharedWeights
    from relativenas_optuna.spaces.protocol import Space
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.loop import Evaluation
    from relativenas_optuna.training.randomness import Generators

_PATHS, _TUNING = 201, 202  # purposes of random numbers; samplers have others
_TUNING_RATE = 0.1  # of the learning rate


@dataclass(frozen=True, kw_only=True)
class UniformProgress:
    """The progress of the training on uniform paths.

    Attributes:
        done: Number of epochs that are trained.
        total: Number of all epochs.
        waiting: True if another process trains the next epochs.
    """

    done: int
    total: int
    waiting: bool = False


class UniformPaths(Generic[A]):
    """The shared weights of a search whose candidates are scored and never committed.

    Before the first score the weights are trained on paths that are drawn uniformly, a new one for
    each batch. Of the architectures that compute the same, only the representative is drawn and
    scored, see `spaces.Canonical`. All scores are from the same weights.

    Args:
        trainer: Trainer of the supernet, with `settings.uniform_epochs` above 0.
        space: Search space.
        draw: Function that draws an architecture; None for `space.random`.
    """

    def __init__(
        self,
        trainer: CandidateTrainer[A],
        space: Space[A],
        draw: Callable[[np.random.Generator], A] | None = None,
    ) -> None:
        self._trainer, self._space = trainer, space
        self._draw = space.random if draw is None else draw
        self._scores: dict[tuple[int, A], Evaluation] = {}

    def prepare(
        self, shared: SharedWeights, report: Callable[[UniformProgress], None] = lambda _: None
    ) -> None:
        """Train the stages that no process has trained yet; the others are loaded.

        Args:
            shared: Shared weights of the study.
            report: Function that is called with the progress: at the begin, after each epoch, and
                again and again while another process trains.

        Raises:
            DivergedError: The loss or a weight became NaN or infinite.
        """
        settings = self._trainer.settings
        stages, total = settings.uniform_stages, settings.uniform_epochs

        def train(stage: int) -> None:
            self.train(stages[stage], lambda done: report(UniformProgress(done=done, total=total)))

        def waiting(stage: int) -> None:
            report(UniformProgress(done=stages[stage].start, total=total, waiting=True))

        shared.train_stages(len(stages), train, waiting)

    def score(self, genotype: A) -> Evaluation:
        """Score an architecture with the shared weights, which stay as they are.

        With `settings.tuning` a copy of its weights is trained first. Then its batch norms are
        calibrated on at most 512 training images. The random numbers are the same for every
        architecture.
        """
        path = canonical(self._space, genotype)
        path = genotype if path is None else path
        key = self._trainer.weights.version, path
        if key not in self._scores:
            self._scores[key] = self._score(path)
        return self._scores[key]

    def train(self, epochs: range, report: Callable[[int], None]) -> None:
        """Train all weights in place for the epochs of a stage; the momentum starts at zero."""
        trainer = self._trainer
        settings = trainer.settings
        parameters = list(trainer.supernet.parameters())
        optimizer = trainer.optimizer(parameters, settings.learning_rate)
        report(epochs.start)
        for epoch in epochs:
            for group in optimizer.param_groups:
                group["lr"] = settings.uniform_learning_rate_of(epoch)
            result = trainer.epoch(
                self._forward(epoch),
                parameters,
                trainer.training,
                optimizer=optimizer,
                random=self._random(epoch),
            )
            if not (math.isfinite(result.loss) and _are_finite(parameters)):
                raise DivergedError(
                    f"the training of the shared weights diverged in epoch {epoch + 1} of "
                    f"{settings.uniform_epochs} (loss {result.loss}): begin a new study with a "
                    f"learning_rate below {settings.learning_rate}"
                )
            report(epoch + 1)

    def _random(self, epoch: int) -> Generators:
        trainer = self._trainer
        return generators(trainer.seed, epoch, 0, _PATHS, device=trainer.device)

    def _forward(self, epoch: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that runs each batch on another path."""
        trainer = self._trainer
        paths = keyed_generator(trainer.seed, _PATHS, epoch)
        random = self._random(epoch).drop_path
        drop_path = trainer.settings.uniform_drop_path_of(epoch)

        def forward(images: torch.Tensor) -> torch.Tensor:
            genotype = canonical_draw(self._space, self._draw, paths)
            logits: torch.Tensor = trainer.supernet(
                images, genotype, drop_path=drop_path, generator=random
            )
            return logits

        return forward

    def _score(self, genotype: A) -> Evaluation:
        trainer, share = self._trainer, self._trainer.settings.tuning
        with trainer.weights.candidate(genotype) as candidate:
            if share > 0:
                random = generators(trainer.seed, 0, 0, _TUNING, device=trainer.device)
                rate = _TUNING_RATE * trainer.settings.learning_rate
                trainer.epoch(
                    lambda images: trainer.supernet(images, genotype),
                    candidate.parameters,
                    sample_of(
                        trainer.training,
                        max(2, round(share * len(trainer.training))),
                        seed=trainer.seed,
                    ),
                    optimizer=trainer.optimizer(candidate.parameters, rate),
                    random=random,
                )
            return trainer.calibrated_score(genotype, self._calibration)

    @cached_property
    def _calibration(self) -> ImageSet:
        return sample_of(self._trainer.training, CALIBRATION_IMAGES, seed=self._trainer.seed)


@torch.no_grad()
def _are_finite(parameters: list[torch.nn.Parameter]) -> bool:
    return bool(torch.stack([parameter.isfinite().all() for parameter in parameters]).all())
