"""Loss, accuracy and a metric over batches, kept on the device until they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

#: (output of a network, labels `[b]`) -> mean loss of the batch, a tensor without dimensions.
Loss: TypeAlias = Callable[[Any, Tensor], Tensor]
#: (logits `[n, classes]`, labels `[n]`) of all images -> one number.
Metric: TypeAlias = Callable[[Tensor, Tensor], float | Tensor]


class RunningMetrics:
    """Sums of batches that stay on the device until they are asked for."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._right: list[Tensor] = []
        self._count = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """`loss` is the sum over the batch, not its mean."""
        self._losses.append(loss.float())
        self._right.append((logits.argmax(1) == labels).sum())
        self._count += len(labels)

    def loss(self) -> float:
        """Mean loss of the images so far; waits for the device."""
        losses = torch.stack(self._losses).tolist()
        # fsum raises on infinities of both signs, a plain sum gives NaN.
        total = math.fsum(losses) if all(map(math.isfinite, losses)) else sum(losses)
        return float(total / self._count)

    def means(self) -> dict[str, Any]:
        """Fields of a result: loss, accuracy and count."""
        right = int(torch.stack(self._right).sum())
        return {"loss": self.loss(), "accuracy": right / self._count, "count": self._count}


def mean_loss(loss: Loss, output: object, labels: Tensor) -> Tensor:
    """The loss of a batch.

    Raises:
        ValueError: `loss` gives something else than a tensor without dimensions.
    """
    mean: object = loss(output, labels)
    if not isinstance(mean, Tensor) or mean.dim():
        shape = f"a tensor {list(mean.shape)}" if isinstance(mean, Tensor) else repr(mean)
        raise ValueError(
            f"loss(logits, labels) must give the mean of the batch, a tensor without dimensions "
            f"(reduction='mean'), got {shape}"
        )
    return mean


def summed_loss(loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss of a batch times its images."""
    if loss is functional.cross_entropy:  # has the sum itself, which is one rounding less
        return functional.cross_entropy(logits, labels, reduction="sum")
    return mean_loss(loss, logits, labels) * len(labels)


def metric_of(metric: Metric, logits: Tensor, labels: Tensor) -> float:
    """The metric of all images as a number.

    Raises:
        ValueError: It is no number.
    """
    value = metric(logits, labels)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        shape = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise ValueError(f"metric(logits, labels) must give one number, got {shape[:80]}") from None
