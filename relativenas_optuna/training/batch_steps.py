"""The training steps of an epoch, for any loss of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.batch_parts import BatchParts
from relativenas_optuna.training.modes import autocasting

#: Function (images `[b, c, h, w]`, targets) -> mean loss of these images, a tensor `[]`.
PartLoss: TypeAlias = Callable[[Tensor, Any], Tensor]


def epoch_batches(count: int, batch_size: int, batch_parts: BatchParts) -> list[tuple[int, int]]:
    """Return the bounds of the batches of an epoch; see `BatchParts.batches`.

    Args:
        count: Number of images.
        batch_size: Number of images in a batch.
        batch_parts: Parts of every batch that this process trains on.

    Raises:
        DataError: There are fewer than 2 images for each part.
        ValueError: `batch_size` is too small for the parts.
    """
    least = 2 * batch_parts.count
    if batch_size < least:
        to = "to train" if batch_parts.count == 1 else f"for {batch_parts.count} parts"
        raise ValueError(f"batch_size must be at least {least} {to}, got {batch_size}")
    if count < least:
        raise DataError(f"training needs at least {least} images, got {count}")
    return batch_parts.batches(count, batch_size)


def train_batches(
    losses: Sequence[PartLoss],
    parts: Iterator[tuple[Tensor, Any]],
    batches: Sequence[tuple[int, int]],
    *,
    parameters: Iterable[nn.Parameter],
    optimizer: Optimizer,
    clip: float | None,
    memory_format: torch.memory_format,
    autocast: torch.dtype | None,
    scaler: GradScaler | None,
    batch_parts: BatchParts,
    no_sync: Callable[[], AbstractContextManager[object]],
    after: Callable[[int], None],
) -> None:
    """Take a step of the optimizer for each batch.

    Args:
        losses: Loss of each part of a batch that this process trains on.
        parts: Images and targets of all own parts of all batches.
        batches: Bounds of the batches.
        parameters: Parameters whose gradient norm is clipped.
        optimizer: Optimizer of the parameters to train.
        clip: Largest joint norm of the gradients; None switches clipping off.
        memory_format: Memory format of the images that a loss gets.
        autocast: Type for automatic mixed precision; None switches it off.
        scaler: Gradient scaler of the loss, for float16.
        batch_parts: Parts of every batch that this process trains on.
        no_sync: Context manager for backward passes without an exchange of gradients.
        after: Function that is called after every batch with its number, from 0.

    Raises:
        ValueError: `clip` is out of range.
    """
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0 (or None), got {clip}")
    clipped = list(parameters)
    for number, (start, stop) in enumerate(batches):
        optimizer.zero_grad(set_to_none=True)
        for own, loss in enumerate(losses, start=1):
            images, targets = next(parts)
            with nullcontext() if own == batch_parts.accumulate else no_sync():
                with autocasting(images.device, autocast):
                    mean = loss(images.contiguous(memory_format=memory_format), targets)
                # Processes take the mean of their gradients; here each image counts alike.
                weight = batch_parts.processes * len(images) / (stop - start)
                weighted = mean if weight == 1 else mean * weight
                scaled = weighted if scaler is None else scaler.scale(weighted)
                scaled.backward()  # type: ignore[no-untyped-call]
        _step(optimizer, clipped, clip, scaler)
        after(number)


def _step(
    optimizer: Optimizer, clipped: list[nn.Parameter], clip: float | None, scaler: GradScaler | None
) -> None:
    if clip is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(clipped, clip)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
