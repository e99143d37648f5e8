"""Make random generators from a few whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Generators:
    """Three independent random generators for one training.

    Args:
        order: Generator for the order of the images, on the CPU.
        augmentation: Generator for the augmentation, on the device of the training.
        drop_path: Generator for drop-path, on the device of the training.
    """

    order: Generator
    augmentation: Generator
    drop_path: Generator


def generators(*entropy: int, device: torch.device | str = "cpu") -> Generators:
    """Return new generators that depend on `entropy` only, e.g. on (seed, generation, seat).

    Args:
        entropy: Whole numbers, at least one, each in 0..2**64 - 1.
        device: Device of the generators for augmentation and drop-path.

    Raises:
        ValueError: A number is out of range, or there is none.
    """
    if not entropy:
        raise ValueError("entropy must be at least one whole number, got none")
    for number in entropy:
        if not 0 <= number < 2**64:
            raise ValueError(f"entropy must be whole numbers in 0..2**64 - 1, got {number}")
    # SeedSequence pads with zeros, so (1,) would equal (1, 0): the count and a fixed width of two
    # words each keep different tuples apart.
    words = [len(entropy)]
    for number in entropy:
        words += divmod(number, 2**32)
    order, augmentation, drop_path = np.random.SeedSequence(words).generate_state(3, np.uint64)
    return Generators(
        order=Generator().manual_seed(int(order)),
        augmentation=Generator(device).manual_seed(int(augmentation)),
        drop_path=Generator(device).manual_seed(int(drop_path)),
    )
