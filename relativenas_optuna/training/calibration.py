"""Set the statistics of batch norms for one path through shared weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from relativenas_optuna.exceptions import DataError
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.image_set import ImageSet
from relativenas_optuna.training.loop import Output
from relativenas_optuna.training.modes import mode

CALIBRATION_IMAGES = 512
"""Number of images that is enough to rank architectures, and takes less time than thousands."""


def sample_of(images: ImageSet, number: int, *, seed: int) -> ImageSet:
    """Return random images, the same ones for the same seed; all images if there are fewer.

    Args:
        images: Images to draw from.
        number: Number of images, at least 1.
        seed: Seed of the draw, 0 to 2**32 - 1.
    """
    if number >= len(images):
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.subset(order[:number])


def calibrate(
    forward: Callable[[Tensor], Output],
    images: ImageSet,
    *,
    module: nn.Module,
    batch_size: int,
    generator: Generator,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> None:
    """Set the running statistics of the batch norms that `forward` uses to those of `images`.

    Many paths share the weights, so the running statistics of a batch norm are a mixture over
    paths. One pass without gradients or augmentation replaces them by those of this path: the
    means over all batches of the batch's mean and (unbiased) variance.

    Args:
        forward: Function from images `[b, c, h, w]` to the output of the path.
        images: Images to take the statistics of, on the device of the network.
        module: Module that holds the batch norms. Batch norms that `forward` does not use keep
            their statistics.
        batch_size: Largest number of images in a batch, at least 2. Batches have nearly equal
            sizes; with 2, a batch may have 3 images.
        generator: Random generator for the order of the images, on the CPU. Images are often
            sorted by class, and the variance of a batch of one class would be too small.
        memory_format: Memory format of the images that `forward` gets.

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
    # Part sizes differ by at most one image, so all count nearly alike and have a variance.
    parts = order.tensor_split(-(-len(images) // max(batch_size, 3)))
    with mode(module, training=True), _averaging(module), torch.no_grad():
        for pixels, _ in images.pieces(parts, 0):
            batch = normalise(pixels, mean, std)
            forward(batch.contiguous(memory_format=memory_format))


@contextmanager
def _averaging(module: nn.Module) -> Iterator[None]:
    """Make batch norms use the plain average over all batches instead of the exponential one."""
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
