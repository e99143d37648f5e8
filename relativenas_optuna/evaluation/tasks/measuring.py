"""Measure the network of a task: its figures, cost and latency, and drawn predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.measurement.latency import Latency, latency
from relativenas_optuna.networks.network_cost import Cost, cost
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.modes import autocasting, mode

if TYPE_CHECKING:
    from PIL.Image import Image

    from relativenas_optuna.evaluation.tasks.samples import Samples
    from relativenas_optuna.evaluation.tasks.task import Meter, Task


@dataclass(frozen=True, kw_only=True)
class TaskMeasured:
    """Figures, cost and latency of a network.

    Attributes:
        figures: Figures of the task by name, the main one first.
        images: Number of images.
        cost: Parameters, and multiply-adds of the exported network for one image.
        latencies: Latency of the exported network for one image, and for a batch.
    """

    figures: dict[str, float]
    images: int
    cost: Cost
    latencies: list[Latency]

    def to_data(self) -> dict[str, Any]:
        """Return all figures as plain JSON data."""
        return {
            "images": self.images,
            "figures": self.figures,
            "parameters": self.cost.parameters,
            "multiply_adds": self.cost.multiply_adds,
            "latency": [asdict(one) for one in self.latencies],
        }


def measure_task(
    task: Task,
    network: nn.Module,
    samples: Samples,
    *,
    device: torch.device | str = "cpu",
    batch_size: int,
    seconds: float = 1.0,
    on_batch: Callable[[], None] = lambda: None,
) -> TaskMeasured:
    """Measure the figures, the cost and the latency of a task's network.

    Args:
        task: The task.
        network: Network to measure; it is moved to the device, and put in evaluation mode.
        samples: Images to score, at least one.
        device: Device to compute on.
        batch_size: Number of images in a batch, at least 1.
        seconds: Least duration of each measurement of the latency, in seconds.
        on_batch: Function that is called after every batch.

    Raises:
        DataError: An image cannot be read.
    """
    network.eval().to(device).to(memory_format=torch.channels_last)
    meter = task.meter(samples)
    fill_meter(task, network, samples.to(device), meter, batch_size=batch_size, on_batch=on_batch)
    serving = task.serving(network)
    return TaskMeasured(
        figures=meter.result(),
        images=len(samples),
        cost=cost(serving, samples.shape),
        latencies=[
            latency(serving.eval(), samples.shape, size, seconds=seconds)
            for size in sorted({1, batch_size})
        ],
    )


def fill_meter(
    task: Task,
    network: nn.Module,
    samples: Samples,
    meter: Meter,
    *,
    batch_size: int,
    autocast: torch.dtype | None = None,
    on_batch: Callable[[], None] = lambda: None,
) -> None:
    """Fill a meter with the predictions of a network.

    Args:
        task: Task of the network.
        network: Network on the device of the samples.
        samples: Images to predict, which may be none.
        meter: Meter to fill.
        batch_size: Number of images in a batch, at least 1.
        autocast: Type for automatic mixed precision; None switches it off.
        on_batch: Function that is called after every batch.
    """
    with mode(network, training=False), torch.inference_mode():
        for inputs, targets in samples.batches(batch_size):
            meter.update(_predicted(task, network, inputs, autocast), targets)
            on_batch()


def draw_predictions(
    task: Task, network: nn.Module, samples: Samples, *, count: int = 4
) -> list[Image]:
    """Draw the predictions for the first images beside what is true.

    Args:
        task: Task of the network.
        network: Network on any device.
        samples: The images.
        count: Largest number of images.

    Raises:
        DataError: An image cannot be read.
    """
    device = next(network.parameters()).device
    drawn = []
    for number in list(samples.indices)[:count]:
        image, target = samples.records.read(number, augment=False)
        inputs = normalise(image[None].to(device), *samples.to(device).statistics())
        with mode(network, training=False), torch.inference_mode():
            prediction = _predicted(task, network, inputs, None)[0]
        drawn.append(task.draw(image, _on_cpu(prediction), target, samples.classes))
    return drawn


def _predicted(task: Task, network: nn.Module, inputs: Tensor, autocast: torch.dtype | None) -> Any:
    with autocasting(inputs.device, autocast):
        return task.predict(network, inputs.contiguous(memory_format=torch.channels_last))


def _on_cpu(prediction: Any) -> Any:
    if isinstance(prediction, dict):
        return {name: _on_cpu(of) for name, of in prediction.items()}
    return prediction.cpu() if isinstance(prediction, Tensor) else prediction
