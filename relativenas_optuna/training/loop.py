"""Train for one epoch, and evaluate; searches and stand-alone training both use these loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn import functional
from torch.optim import Optimizer

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.batch_parts import WHOLE_BATCH, BatchParts
from relativenas_optuna.training.batch_steps import epoch_batches, train_batches
from relativenas_optuna.training.data.source import Source, plain_batches, training_parts
from relativenas_optuna.training.metrics import (
    Loss,
    Metric,
    RunningMetrics,
    mean_loss,
    metric_of,
    summed_loss,
)
from relativenas_optuna.training.modes import autocasting, mode
from relativenas_optuna.training.randomness import Generators

#: Output of a network: logits `[b, classes]`, or a tuple of these and auxiliary logits.
Output: TypeAlias = Tensor | tuple[Tensor, ...]
#: Function from images `[b, c, h, w]` to the output of a network.
Forward: TypeAlias = Callable[[Tensor], Output]
#: Function (eighths of the epoch that are done, mean loss so far) -> True to stop.
Report: TypeAlias = Callable[[int, float], bool]

REPORTS = 8
"""Largest number of reports in an epoch; each one waits for the device."""


class Stopped(Exception):
    """Exception raised when a report stops the epoch.

    Attributes:
        step: Eighths of the epoch that were done.
        loss: Mean loss up to there.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"stopped after {step}/{REPORTS} of the epoch at a loss of {loss:.4g}")
        self.step, self.loss = step, loss


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """Loss and accuracy of a training epoch, measured while the weights changed.

    Args:
        loss: Mean training loss per image; not finite if the training diverged.
        accuracy: Share of images that are classified correctly, 0 to 1.
        count: Number of images.
    """

    loss: float
    accuracy: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Loss, accuracy and metric of a network on a set of images.

    Args:
        loss: Mean loss per image; the cross-entropy in nats unless another loss was given.
        accuracy: Share of images that are classified correctly, 0 to 1.
        count: Number of images.
        metric: Value of the metric over all images; None if no metric was given.
    """

    loss: float
    accuracy: float
    count: int
    metric: float | None = None

    @property
    def score(self) -> float:
        """The value that a search optimises: the metric if there is one, otherwise the loss."""
        return self.loss if self.metric is None else self.metric


def train_epoch(
    forward: Forward | Sequence[Forward],
    parameters: Iterable[nn.Parameter],
    images: Source,
    *,
    module: nn.Module,
    optimizer: Optimizer,
    generators: Generators,
    augmentation: Augmentation,
    batch_size: int,
    loss: Loss = functional.cross_entropy,
    clip: float | None = 5.0,
    memory_format: torch.memory_format = torch.contiguous_format,
    autocast: torch.dtype | None = None,
    scaler: GradScaler | None = None,
    batch_parts: BatchParts = WHOLE_BATCH,
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext,
    on_batch: Callable[[int], None] | None = None,
    report: Report | None = None,
) -> EpochResult:
    """Train for one pass over the images in random order.

    Without `report` nothing waits for the device before the end of the epoch. A loss that is not
    finite does not stop the epoch; it is in the result, and the caller decides what to do.

    Args:
        forward: Function that computes the network's output; or a list with one function for each
            part of a batch that this process trains on.
        parameters: Parameters whose gradient norm is clipped. The optimizer has its own list.
        images: Images to train on, on the device of the network.
        module: Module that is put in training mode for the epoch; each of its parts gets its own
            mode back afterwards.
        optimizer: Optimizer of the parameters to train.
        generators: Random generators for the order of images and for the augmentation.
        augmentation: Augmentation, drawn anew for every batch.
        batch_size: Number of images in a batch, at least 2 for each part. A single image that is
            left over joins the batch before it, since batch norm cannot train on one image.
        loss: Function (output, labels `[b]`) -> mean loss of the batch.
        clip: Largest joint norm of the gradients of `parameters`; None switches clipping off.
        memory_format: Memory format of the images that `forward` gets.
        autocast: Type for automatic mixed precision, e.g. `torch.bfloat16`; None switches it off.
        scaler: Gradient scaler of the loss, for types with a small range such as float16.
        batch_parts: Parts of every batch that this process trains on.
        no_sync: Context manager around the backward passes of all own parts but the last; there
            processes need not exchange gradients.
        on_batch: Function that is called after every batch with the number of images done so far.
        report: Function that is called after every eighth of the epoch (after every batch if there
            are fewer than eight) with the eighths done and the mean loss so far; True stops the
            epoch.

    Raises:
        DataError: There are fewer than 2 images (for each part).
        Stopped: `report` stopped the epoch.
        ValueError: `batch_size` or `clip` is out of range, or the images are too small for
            `augmentation`.
    """
    batches = epoch_batches(len(images), batch_size, batch_parts)
    augmentation.check(*images.shape[1:])
    forwards = [forward] * batch_parts.accumulate if callable(forward) else list(forward)
    running = RunningMetrics()

    def loss_of(run: Forward, batch: Tensor, labels: Tensor) -> Tensor:
        output = run(batch)
        found = mean_loss(loss, output, labels)
        running.add(found.detach() * len(labels), _logits(output).detach(), labels)
        return found

    def after(number: int) -> None:
        if on_batch is not None:
            on_batch(batches[number][1])
        step = REPORTS * (number + 1) // len(batches)
        if report is not None and step > REPORTS * number // len(batches):
            so_far = running.loss()
            if report(step, so_far):
                raise Stopped(step, so_far)

    with mode(module, training=True):
        train_batches(
            [partial(loss_of, run) for run in forwards],
            training_parts(images, batches, batch_parts, augmentation, generators),
            batches,
            parameters=parameters,
            optimizer=optimizer,
            clip=clip,
            memory_format=memory_format,
            autocast=autocast,
            scaler=scaler,
            batch_parts=batch_parts,
            no_sync=no_sync,
            after=after,
        )
    return EpochResult(**running.means())


def evaluate(
    forward: Forward,
    images: Source,
    *,
    module: nn.Module,
    batch_size: int,
    loss: Loss = functional.cross_entropy,
    metric: Metric | None = None,
    memory_format: torch.memory_format = torch.contiguous_format,
    autocast: torch.dtype | None = None,
    on_batch: Callable[[Tensor, Tensor], None] | None = None,
) -> Evaluation:
    """Evaluate a network on images without augmentation or gradients.

    Args:
        forward: Function from images `[b, c, h, w]` to the output of the network.
        images: Images to evaluate on, on the device of the network.
        module: Module that is put in evaluation mode; each of its parts gets its own mode back
            afterwards.
        batch_size: Number of images in a batch, at least 1; changes the result only by rounding.
        loss: Function (logits, labels) -> mean loss of a batch.
        metric: Function (logits, labels) of all images -> a number, for the result's `metric`.
        memory_format: Memory format of the images that `forward` gets.
        autocast: Type for automatic mixed precision; None switches it off.
        on_batch: Function that is called after every batch with its logits `[b, classes]` and
            labels `[b]`, to compute other figures in the same pass.

    Raises:
        DataError: There are no images.
        ValueError: `batch_size` is below 1, or `loss` or `metric` does not return one number.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if len(images) == 0:
        raise DataError("evaluation needs at least 1 image, got none")
    running = RunningMetrics()
    outputs: list[Tensor] = []
    with mode(module, training=False), torch.inference_mode():
        for batch, labels in plain_batches(images, batch_size):
            with autocasting(batch.device, autocast):
                output = forward(batch.contiguous(memory_format=memory_format))
            logits = _logits(output).float()
            running.add(summed_loss(loss, logits, labels), logits, labels)
            if metric is not None:
                outputs.append(logits)
            if on_batch is not None:
                on_batch(logits, labels)
        measured = metric and metric_of(metric, torch.cat(outputs), images.labels)
    return Evaluation(**running.means(), metric=measured)


def _logits(output: Output) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]
