"""Compute loss, accuracy and a metric over batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

#: Function (output of a network, labels `[b]`) -> mean loss of the batch, a tensor `[]`.
Loss: TypeAlias = Callable[[Any, Tensor], Tensor]
#: Function (logits `[n, classes]`, labels `[n]`) of all images -> one number.
Metric: TypeAlias = Callable[[Tensor, Tensor], float | Tensor]


class RunningMetrics:
    """Loss and accuracy summed over batches; the sums stay on the device until they are read."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._right: list[Tensor] = []
        self._count = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch.

        Args:
            loss: Sum of the losses of the batch, not their mean; a tensor `[]`.
            logits: Logits of the batch, `[b, classes]`.
            labels: Labels of the batch, `[b]`.
        """
        self._losses.append(loss.float())
        self._right.append((logits.argmax(1) == labels).sum())
        self._count += len(labels)

    def loss(self) -> float:
        """Return the mean loss of the images so far; waits for the device."""
        losses = torch.stack(self._losses).tolist()
        # fsum raises on infinities of both signs, a plain sum gives NaN.
        total = math.fsum(losses) if all(map(math.isfinite, losses)) else sum(losses)
        return float(total / self._count)

    def means(self) -> dict[str, Any]:
        """Return the loss, the accuracy and the count of the images so far, by name."""
        right = int(torch.stack(self._right).sum())
        return {"loss": self.loss(), "accuracy": right / self._count, "count": self._count}


def mean_loss(loss: Loss, output: object, labels: Tensor) -> Tensor:
    """Return the mean loss of a batch.

    Raises:
        ValueError: `loss` does not return a tensor `[]`.
    """
    mean: object = loss(output, labels)
    if not isinstance(mean, Tensor) or mean.dim():
        shape = f"a tensor {list(mean.shape)}" if isinstance(mean, Tensor) else repr(mean)
        raise ValueError(
            f"loss(logits, labels) must return the mean of the batch as a tensor without "
            f"dimensions (reduction='mean'), got {shape}"
        )
    return mean


def summed_loss(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the sum of the losses of a batch."""
    if loss is functional.cross_entropy:  # it can return the sum, which saves one rounding
        return functional.cross_entropy(logits, labels, reduction="sum")
    return mean_loss(loss, logits, labels) * len(labels)


def metric_of(metric: Metric, logits: Tensor, labels: Tensor) -> float:
    """Return the metric of all images as a number.

    Raises:
        ValueError: `metric` does not return a number.
    """
    value = metric(logits, labels)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        shape = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise ValueError(
            f"metric(logits, labels) must return one number, got {shape[:80]}"
        ) from None
