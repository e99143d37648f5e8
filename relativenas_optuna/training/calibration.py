"""Statistics of batch norms for one path through shared weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.loop import Output
from relativenas_optuna.training.modes import mode


def calibrate(
    forward: Callable[[Tensor], Output],
    images: Images,
    *,
    module: nn.Module,
    batch_size: int,
    generator: Generator,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> None:
    """Sets the statistics of the batch norms that `forward` runs to those of `images`.

    Shared weights serve many paths, so the running statistics of a batch norm are a mixture of
    what came its way; one pass without gradients or augmentation makes them those of this path.
    They are the means over batches of the batch's mean and (unbiased) variance.

    Args:
        forward: Images `[b, c, h, w]` -> output.
        images: On the device of the network.
        module: Holds the batch norms; others than those that `forward` runs stay as they are.
        batch_size: Largest batch, at least 2; batches are of nearly equal size, and 3 images may
            be one where this is 2.
        generator: Of the order of images, on the CPU. They often lie class by class, and
            batches of one class would know nothing of how classes differ.
        memory_format: Of the images that `forward` gets.

    Raises:
        DataError: There are fewer than 2 images.
        ValueError: `batch_size` is below 2.
    """
    if batch_size < 2:
        raise ValueError(f"batch_size must be at least 2 to calibrate, got {batch_size}")
    if len(images) < 2:
        raise DataError(f"calibration needs at least 2 images, got {len(images)}")
    mean, std = images.statistics()
    order = torch.randperm(len(images), generator=generator).to(images.device)
    # Equal parts but for one image: each counts alike, and none is too small for a variance.
    parts = order.tensor_split(-(-len(images) // max(batch_size, 3)))
    with mode(module, training=True), _averaging(module), torch.no_grad():
        for index in parts:
            batch = normalise(images.images.index_select(0, index), mean, std)
            forward(batch.contiguous(memory_format=memory_format))


@contextmanager
def _averaging(module: nn.Module) -> Iterator[None]:
    """Lets batch norms average over all batches from the next one on, instead of exponentially."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum = None  # the cumulative average of num_batches_tracked batches
            norm.num_batches_tracked = torch.zeros((), dtype=torch.int64)
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
