"""How long a network takes for a batch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

_ENOUGH = 9  # values to take quartiles of
_LONGEST = 10.0  # seconds to wait for them


@dataclass(frozen=True)
class Latency:
    """Time that a network takes for a batch, from images on the device to logits.

    Attributes:
        batch_size: Images in the batch.
        median: In seconds.
        interquartile_range: In seconds: half of the measurements lie within it.
        measurements: How many there were.
        threads: Of the CPU.
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
    """Measure a network in evaluation mode, without gradients, with the threads that torch has.

    Args:
        network: On the device to measure, in channels-last.
        shape: Channels, height and width of an image.
        batch_size: Of the batch.
        seconds: That the measurement takes at least.
    """
    device = next(network.parameters()).device
    images = torch.rand(batch_size, *shape, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    globals_ = {"network": network, "images": images}
    timer = _timer_class()("network(images)", globals=globals_, num_threads=threads)
    with torch.inference_mode():
        # It begins with passes that do not count, and waits for the device.
        times = list(timer.blocked_autorange(min_run_time=seconds).times)
        if len(times) < _ENOUGH:
            more = min((_ENOUGH - len(times)) * times[0], _LONGEST)
            times += timer.blocked_autorange(min_run_time=more).times
    low, median, high = np.quantile(times, (0.25, 0.5, 0.75)).tolist()
    return Latency(batch_size, median, high - low, len(times), threads)


def _timer_class() -> Any:
    # With its import torch looks for what compiles C++, which nothing here needs, and tells people
    # on standard error where that is there but no GPU.
    logger = logging.getLogger("torch.utils.cpp_extension")
    before, logger.disabled = logger.disabled, True
    try:
        from torch.utils.benchmark import Timer
    finally:
        logger.disabled = before
    return Timer
