"""Measure the accuracy, the cost and the latency of a trained network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.measurement.latency import Latency, latency
from relativenas_optuna.networks.network_cost import Cost, cost
from relativenas_optuna.training.loop import Evaluation, evaluate
from relativenas_optuna.training.modes import mode

if TYPE_CHECKING:
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.data.streamed import StreamedImages

TOP = 5


@dataclass(frozen=True, kw_only=True)
class Confused:
    """A class whose images were classified as another class.

    Attributes:
        true: Index of the class of the images.
        taken: Index of the class that the network predicted.
        count: Number of images for which that happened.
        of: Number of images of the true class.
    """

    true: int
    taken: int
    count: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Accuracy, cost and latency of a network.

    Attributes:
        scored: Loss, accuracy and number of images.
        top5: Share of images whose class is among the five with the highest logits, 0 to 1; None
            if there are five classes or fewer.
        confusion: Number of images of class i (rows) that were classified as class j (columns).
        cost: Parameters and multiply-adds.
        latencies: Latency for one image, and for a batch.
    """

    scored: Evaluation
    top5: float | None
    confusion: list[list[int]]
    cost: Cost
    latencies: list[Latency]

    @property
    def error(self) -> float:
        """Share of images that are classified wrongly, 0 to 1."""
        return 1 - self.scored.accuracy

    def most_confused(self, most: int) -> list[Confused]:
        """Return the `most` pairs of classes that were confused most often, the worst first."""
        counts = np.array(self.confusion)
        np.fill_diagonal(counts, 0)
        order = np.argsort(-counts, axis=None, kind="stable")[:most]
        pairs = zip(*np.unravel_index(order, counts.shape), strict=True)
        return [
            Confused(
                true=int(true),
                taken=int(taken),
                count=int(counts[true, taken]),
                of=sum(self.confusion[true]),
            )
            for true, taken in pairs
            if counts[true, taken]
        ]

    def to_data(self) -> dict[str, Any]:
        """Return all figures as plain JSON data."""
        return {
            "images": self.scored.count,
            "accuracy": self.scored.accuracy,
            "error": self.error,
            "top5": self.top5,
            "loss": self.scored.loss,
            "confusion": self.confusion,
            "parameters": self.cost.parameters,
            "multiply_adds": self.cost.multiply_adds,
            "latency": [asdict(one) for one in self.latencies],
        }


def measure(
    network: nn.Module,
    images: ImageSet | StreamedImages,
    *,
    device: torch.device | str = "cpu",
    batch_size: int,
    seconds: float = 1.0,
    on_batch: Callable[[], None] = lambda: None,
) -> Measured:
    """Measure the accuracy, the cost and the latency of a network.

    Args:
        network: Network to measure; it is moved to the device and to channels-last, and put in
            evaluation mode.
        images: Images to score, at least one, with the mean and std of the network's training.
        device: Device to compute on.
        batch_size: Number of images in a batch, at least 1.
        seconds: Least duration of each measurement of the latency, in seconds.
        on_batch: Function that is called after every batch.

    Raises:
        DataError: There are no images.
        ValueError: The network does not take images of this size, or its logits are not finite.
    """
    # The import takes a second, and only this function needs it.
    from sklearn.metrics import confusion_matrix, top_k_accuracy_score

    network.to(device).to(memory_format=torch.channels_last)
    costs = cost(network, images.shape)  # first, since it raises at once if the size does not fit
    outputs, labels = [], []

    def after(logits: Tensor, of: Tensor) -> None:
        outputs.append(logits.cpu())
        labels.append(of.cpu())
        on_batch()

    scored = evaluate(
        network,
        images.to(device),
        module=network,
        batch_size=batch_size,
        memory_format=torch.channels_last,
        on_batch=after,
    )
    logits, truth = torch.cat(outputs).numpy(), torch.cat(labels).numpy()
    if not np.isfinite(logits).all():
        raise ValueError("the logits of the network are not finite")
    classes = range(logits.shape[1])
    with mode(network, training=False):
        sizes = sorted({1, batch_size})
        latencies = [latency(network, images.shape, size, seconds=seconds) for size in sizes]
    return Measured(
        scored=scored,
        top5=top_k_accuracy_score(truth, logits, k=TOP, labels=classes)
        if len(classes) > TOP
        else None,
        confusion=confusion_matrix(truth, logits.argmax(1), labels=classes).tolist(),
        cost=costs,
        latencies=latencies,
    )
