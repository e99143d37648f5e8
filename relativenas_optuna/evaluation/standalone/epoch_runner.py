"""The protocol of what `StandaloneTrainer` needs to know about a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import torch
    from torch import nn
    from torch.amp import GradScaler
    from torch.optim import Optimizer

    from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
    from relativenas_optuna.training.batch_parts import BatchParts


@dataclass(frozen=True, kw_only=True)
class EpochSetup:
    """What an epoch of a training depends on, besides its images.

    Attributes:
        network: Network to train.
        run: The network, or its wrapper for several processes.
        optimizer: Optimizer of the network; the runner sets its learning rate.
        number: Number of the epoch, from 0.
        place: Place in the schedule in epochs, from 0.
        seed: Seed of the training.
        autocast: Type for automatic mixed precision; None switches it off.
        scaler: Gradient scaler of the loss, for float16.
        batch_parts: Parts of every batch that this process trains on.
        no_sync: Context manager for backward passes without an exchange of gradients.
        on_batch: Function that is called after every batch with the number of images done so far.
    """

    network: nn.Module
    run: nn.Module
    optimizer: Optimizer
    number: int
    place: float
    seed: int
    autocast: torch.dtype | None
    scaler: GradScaler | None
    batch_parts: BatchParts
    no_sync: Callable[[], AbstractContextManager[object]]
    on_batch: Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class TrainingFigures:
    """Figures of a training epoch in this process.

    Attributes:
        loss: Mean training loss per image; not finite if the training diverged.
        accuracy: Share of images that are classified correctly, 0 to 1; None for other tasks.
        count: Number of images.
    """

    loss: float
    accuracy: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class ScoreFigures:
    """Figures of a network on some images, over all processes.

    Attributes:
        loss: Mean cross-entropy in nats; None for other tasks than classification.
        accuracy: Share of images that are classified correctly; None for other tasks.
        figures: Figures of the task by name, the main one first; None for classification.
    """

    loss: float | None = None
    accuracy: float | None = None
    figures: dict[str, float] | None = None


class EpochRunner(Protocol):
    """Network, training and scoring for one kind of images."""

    def new_network(self, seed: int) -> nn.Module:
        """Return the network on the CPU, with initial weights that follow from the seed."""

    def has_unused_parameters(self, network: nn.Module) -> bool:
        """Return True if the loss may not depend on all parameters."""

    def check_memory(self, network: nn.Module, parts: int, autocast: torch.dtype | None) -> None:
        """Raise `DataError` if training on one of `parts` parts of a batch fits no memory."""

    def train(self, images: Any, setup: EpochSetup) -> TrainingFigures:
        """Train for one epoch; all randomness follows from the seed and the epoch."""

    def score(
        self,
        network: nn.Module,
        images: Any,
        *,
        group: ProcessGroup,
        batch_size: int,
        autocast: torch.dtype | None,
    ) -> ScoreFigures:
        """Score a network on images, which are divided among the processes.

        Args:
            network: Network on the device of this process.
            images: Images to score.
            group: Processes that train together.
            batch_size: Number of images in one part of a training batch.
            autocast: Type for automatic mixed precision; None switches it off.
        """


def own_images(images: Any, group: ProcessGroup) -> Any:
    """Return the images that this process scores, on its device."""
    if group.processes > 1:
        images = images.subset(range(group.process, len(images), group.processes))
    return images.to(group.device)
