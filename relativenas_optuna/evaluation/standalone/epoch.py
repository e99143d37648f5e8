"""Train a network for one epoch of a schedule."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.batch_parts import WHOLE_BATCH, BatchParts
from relativenas_optuna.training.loop import EpochResult, train_epoch
from relativenas_optuna.training.randomness import Generators, generators

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from torch import nn
    from torch.amp import GradScaler
    from torch.optim import Optimizer

    from relativenas_optuna.training.data.source import Source
    from relativenas_optuna.training.loop import Forward
    from relativenas_optuna.training.metrics import Loss


class Schedule(Protocol):
    """Settings that an epoch depends on; `Recipe` and `SearchSettings` have them."""

    @property
    def batch_size(self) -> int: ...  # noqa: D102 (documented in these two classes)
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def momentum(self) -> float: ...  # noqa: D102
    @property
    def weight_decay(self) -> float: ...  # noqa: D102
    @property
    def clip(self) -> float: ...  # noqa: D102
    @property
    def padding(self) -> int: ...  # noqa: D102
    @property
    def flip(self) -> bool: ...  # noqa: D102
    @property
    def cutout(self) -> int: ...  # noqa: D102

    def learning_rate_of(self, epoch: float, /) -> float: ...  # noqa: D102
    def drop_path_of(self, epoch: float, /) -> float: ...  # noqa: D102


def sgd(network: nn.Module, schedule: Schedule) -> torch.optim.SGD:
    """Return the SGD optimizer of a network."""
    return torch.optim.SGD(
        network.parameters(),
        lr=schedule.learning_rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
    )


def augmentation_of(schedule: Schedule) -> Augmentation:
    """Return the augmentation of a schedule."""
    return Augmentation(padding=schedule.padding, flip=schedule.flip, cutout=schedule.cutout)


def one_epoch(
    network: nn.Module,
    optimizer: Optimizer,
    images: Source,
    *,
    schedule: Schedule,
    epoch: int,
    place: float | None = None,
    seed: int,
    augmentation: Augmentation,
    run: nn.Module | None = None,
    loss: Loss = functional.cross_entropy,
    autocast: torch.dtype | None = None,
    scaler: GradScaler | None = None,
    batch_parts: BatchParts = WHOLE_BATCH,
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext,
    on_batch: Callable[[int], None] | None = None,
) -> EpochResult:
    """Train a network for one epoch; all randomness follows from `seed` and `epoch`.

    Args:
        network: Network from images `[b, c, h, w]` to its output. Drop-path is used if its
            `forward` takes `drop_path` and `generator`.
        optimizer: Optimizer of the network; its learning rate is set to that of the place.
        images: Images to train on, on the device of the network.
        schedule: Settings of the training.
        epoch: Number of the epoch, from 0.
        place: Place in the schedule in epochs, from 0; None for that of the epoch.
        seed: Seed of the training, 0 to 2**64 - 1.
        augmentation: Augmentation of the batches.
        run: Module around the network that computes instead of it; None computes with the network.
        loss: Function (output, labels `[b]`) -> mean loss of the batch.
        autocast: Type for automatic mixed precision; None switches it off.
        scaler: Gradient scaler of the loss, for float16.
        batch_parts: Parts of every batch that this process trains on.
        no_sync: Context manager for backward passes without an exchange of gradients.
        on_batch: Function that is called after every batch with the number of images done so far.
    """
    place = epoch if place is None else place
    for group in optimizer.param_groups:
        group["lr"] = schedule.learning_rate_of(place)
    random = generators(seed, epoch, device=images.device)
    module = network if run is None else run
    forwards: list[Forward] = [module] * batch_parts.accumulate
    if "drop_path" in signature(network.forward).parameters:
        probability = schedule.drop_path_of(place)
        forwards = [
            partial(module, drop_path=probability, generator=generator)
            for generator in _of_parts(random, seed, epoch, batch_parts, images.device)
        ]
    return train_epoch(
        forwards,
        network.parameters(),
        images,
        module=module,
        optimizer=optimizer,
        generators=random,
        augmentation=augmentation,
        batch_size=schedule.batch_size,
        loss=loss,
        clip=schedule.clip or None,
        memory_format=torch.channels_last,
        autocast=autocast,
        scaler=scaler,
        batch_parts=batch_parts,
        no_sync=no_sync,
        on_batch=on_batch,
    )


def _of_parts(
    random: Generators, seed: int, epoch: int, batch_parts: BatchParts, device: torch.device
) -> list[Any]:
    """Return the drop-path generators of this process's parts; each part has its own generator."""
    first = batch_parts.process * batch_parts.accumulate
    return [
        generators(seed, epoch, part, device=device).drop_path if part else random.drop_path
        for part in range(first, first + batch_parts.accumulate)
    ]
