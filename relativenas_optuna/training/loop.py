"""One epoch of training and one evaluation: the only such loops of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn import functional
from torch.optim import Optimizer

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.augmentation import Augmentation
from relativenas_optuna.training.batch_parts import WHOLE_BATCH, BatchParts
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

#: What a network returns: logits `[b, classes]`, alone or before others (auxiliary logits).
Output: TypeAlias = Tensor | tuple[Tensor, ...]
#: Images `[b, c, h, w]` -> output.
Forward: TypeAlias = Callable[[Tensor], Output]
#: (how many eighths of the epoch are done, mean loss so far) -> whether to stop.
Report: TypeAlias = Callable[[int, float], bool]

REPORTS = 8
"""Reports an epoch, at most: every one waits for the device."""


class Stopped(Exception):
    """A report ended the epoch, after `step` eighths of it and at a mean loss of `loss`."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"stopped after {step}/{REPORTS} of the epoch at a loss of {loss:.4g}")
        self.step, self.loss = step, loss


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """How a training epoch went, measured while the weights moved.

    Args:
        loss: Mean training loss of an image; not finite when the training diverged.
        accuracy: BatchParts of images classified right, 0 to 1.
        count: Number of images.
    """

    loss: float
    accuracy: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well images are classified.

    Args:
        loss: Mean loss of an image; the cross-entropy in nats where no other was given.
        accuracy: BatchParts of images classified right, 0 to 1.
        count: Number of images.
        metric: Of all images, where one was given.
    """

    loss: float
    accuracy: float
    count: int
    metric: float | None = None

    @property
    def score(self) -> float:
        """What a search goes by: the metric, or the loss where there is none."""
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
    """Trains for one pass over the images in random order.

    Without `report` nothing waits for the device before the end, so a loss that is not finite
    stops nothing: it shows in the result, and the caller decides.

    Args:
        forward: The network; or one for each part of a batch that this process trains on.
        parameters: Those whose gradient norm is clipped; `optimizer` steps on its own.
        images: On the device of the network.
        module: Put in training mode for the epoch, and back into its own modes afterwards.
        optimizer: Over the parameters to train.
        generators: Of the order of images and of the augmentation.
        augmentation: Applied to every batch anew.
        batch_size: At least 2 for each part. A single image that is left over joins the batch
            before, since batch norm cannot train on one.
        loss: (output, labels `[b]`) -> mean loss of the batch.
        clip: Largest norm of the gradients of `parameters` together; None: no clipping.
        memory_format: Of the images that `forward` gets.
        autocast: Type for automatic mixed precision, e.g. `torch.bfloat16`; None: none.
        scaler: Of the loss, for gradients that are too small for that type.
        batch_parts: Of every batch, where it is trained on in parts.
        no_sync: Holds for backward passes behind which processes need not add up their gradients:
            those of all own parts but the last.
        on_batch: Called after every batch with the number of images done so far.
        report: Called after every eighth of the epoch (every batch where they are fewer) with the
            eighths done and the mean loss so far; the epoch ends where it says so.

    Raises:
        DataError: There are fewer than 2 images (for each part).
        Stopped: `report` ended the epoch.
        ValueError: `batch_size` or `clip` is out of range, or the images are too small for
            `augmentation`.
    """
    if batch_size < 2 * batch_parts.count:
        to = "to train" if batch_parts.count == 1 else f"for {batch_parts.count} parts"
        raise ValueError(
            f"batch_size must be at least {2 * batch_parts.count} {to}, got {batch_size}"
        )
    if clip is not None and not clip > 0:
        raise ValueError(f"clip must be above 0 (or None), got {clip}")
    if len(images) < 2 * batch_parts.count:
        raise DataError(
            f"training needs at least {2 * batch_parts.count} images, got {len(images)}"
        )
    augmentation.check(*images.shape[1:])
    clipped = list(parameters)
    batches = batch_parts.batches(len(images), batch_size)
    forwards = [forward] * batch_parts.accumulate if callable(forward) else list(forward)
    parts = training_parts(images, batches, batch_parts, augmentation, generators)
    running = RunningMetrics()
    with mode(module, training=True):
        for number, (start, stop) in enumerate(batches):
            optimizer.zero_grad(set_to_none=True)
            for own, run in enumerate(forwards, start=1):
                batch, labels = next(parts)
                with nullcontext() if own == batch_parts.accumulate else no_sync():
                    with autocasting(batch.device, autocast):
                        output = run(batch.contiguous(memory_format=memory_format))
                        batch_loss = mean_loss(loss, output, labels)
                    # Processes take the mean of their gradients; here each image counts alike.
                    weight = batch_parts.processes * len(labels) / (stop - start)
                    weighted = batch_loss if weight == 1 else batch_loss * weight
                    scaled = weighted if scaler is None else scaler.scale(weighted)
                    scaled.backward()  # type: ignore[no-untyped-call]
                running.add(batch_loss.detach() * len(labels), _logits(output).detach(), labels)
            _step(optimizer, clipped, clip, scaler)
            if on_batch is not None:
                on_batch(stop)
            step = REPORTS * (number + 1) // len(batches)
            if report is not None and step > REPORTS * number // len(batches):
                so_far = running.loss()
                if report(step, so_far):
                    raise Stopped(step, so_far)
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
    """Scores a network on images as they are: no augmentation, no gradients.

    Args:
        forward: Images `[b, c, h, w]` -> output.
        images: On the device of the network.
        module: Put in evaluation mode, and back into its own modes afterwards.
        batch_size: At least 1; the result does not depend on it but for rounding.
        loss: (logits, labels) -> mean loss of a batch.
        metric: (logits, labels) of all images -> a number that the result is to hold too.
        memory_format: Of the images that `forward` gets.
        autocast: Type for automatic mixed precision; None: none.
        on_batch: Called after every batch with its logits `[b, classes]` and labels `[b]`, for
            other measures of the same pass.

    Raises:
        DataError: There are no images.
        ValueError: `batch_size` is below 1, or `loss` or `metric` gives something else.
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


def _logits(output: Output) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]
