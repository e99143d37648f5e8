"""Measure the time that a network takes for a batch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

_ENOUGH = 9  # measurements that quartiles need
_LONGEST = 10.0  # seconds to spend on more measurements


@dataclass(frozen=True)
class Latency:
    """Time that a network takes for a batch, from images on the device to logits.

    Attributes:
        batch_size: Number of images in the batch.
        median: Median time in seconds.
        interquartile_range: Difference between the quartiles in seconds.
        measurements: Number of measurements.
        threads: Number of CPU threads.
    """

    batch_size: int
    median: float
    interquartile_range: float
    measurements: int
    threads: int


def latency(
    network: nn.Module,
    shape: tuple[int, int, int],
    batch_size: int,
    *,
    seconds: float = 1.0,
) -> Latency:
    """Measure the latency of a network without gradients, with torch's number of threads.

    Args:
        network: Network in evaluation mode and channels-last, on the device to measure.
        shape: Channels, height and width of an image.
        batch_size: Number of images in the batch.
        seconds: Least duration of the measurement in seconds.
    """
    device = next(network.parameters()).device
    images = torch.rand(batch_size, *shape, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()

    def run() -> object:
        return network(images)

    times = measured_times(run, device, threads=threads, seconds=seconds)
    if len(times) < _ENOUGH:
        more = min((_ENOUGH - len(times)) * times[0], _LONGEST)
        times += measured_times(run, device, threads=threads, seconds=more)
    low, median, high = np.quantile(times, (0.25, 0.5, 0.75)).tolist()
    return Latency(batch_size, median, high - low, len(times), threads)


def measured_times(
    run: Callable[[], object], device: torch.device, *, threads: int, seconds: float
) -> list[float]:
    """Measure how long a function takes, without gradients and after runs that do not count.

    Runs that are much shorter than the measurement are timed in blocks. The device finishes its
    work before each reading of the clock.

    Args:
        run: Function that computes on `device`.
        device: Device to wait for.
        threads: Number of CPU threads of PyTorch while it runs.
        seconds: Least duration of the measurement in seconds.

    Returns:
        The time of one run in seconds for each block, at least one.
    """
    timer = _timer_class()(
        "run()", globals={"run": run}, num_threads=threads, timer=lambda: _clock(device)
    )
    with torch.inference_mode():
        # The timer starts with runs that do not count.
        return list(timer.blocked_autorange(min_run_time=seconds).times)


def _clock(device: torch.device) -> float:
    """Return the time in seconds when all work of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return perf_counter()


def _timer_class() -> Any:
    # The import makes torch look for a C++ compiler, and warn on stderr if there is one but no GPU.
    logger = logging.getLogger("torch.utils.cpp_extension")
    before, logger.disabled = logger.disabled, True
    try:
        from torch.utils.benchmark import Timer
    finally:
        logger.disabled = before
    return Timer
