"""Networks and their parts, set up to be timed on a device."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class TimedRun:
    """A function that runs on a device, and its measured times.

    Attributes:
        run: The function.
        output_shape: Shape of its output for one image.
        times: Measured times of one run in seconds.
    """

    run: Callable[[], object]
    output_shape: tuple[int, ...]
    times: list[float]

    @property
    def milliseconds(self) -> float:
        """Median time in milliseconds."""
        return 1000 * float(np.median(self.times))

    @property
    def spread(self) -> float:
        """Difference between the quartiles of the times in milliseconds."""
        low, high = np.quantile(self.times, (0.25, 0.75)).tolist()
        return float(1000 * (high - low))


@dataclass(frozen=True)
class Bench:
    """The conditions under which networks and their parts run.

    Attributes:
        device: Device to run on.
        dtype: Number format of weights and images.
        batch_size: Number of images in a batch.
    """

    device: torch.device
    dtype: torch.dtype
    batch_size: int

    def set_up(self, network: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> TimedRun:
        """Return a function that runs a network or part on a random batch.

        Args:
            network: Module, or function of a module that is on the device.
            shape: Shape of the input for one image.
        """
        if isinstance(network, nn.Module):
            network = copy.deepcopy(network).eval().to(self.device, self.dtype)
            network = network.to(memory_format=torch.channels_last)
        batch = torch.rand(shape[0] * self.batch_size, *shape[1:])
        batch = batch.to(self.device, self.dtype)
        if batch.dim() == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)

        def run() -> Tensor:
            return network(batch)

        with torch.inference_mode():
            batches, *sizes = run().shape
        return TimedRun(run, (batches // self.batch_size, *sizes), [])
