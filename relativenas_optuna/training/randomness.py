"""Random generators that follow from a few whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator


@dataclass(frozen=True, eq=False, kw_only=True)
class Generators:
    """The three independent random streams of one training.

    Args:
        order: Of the images in an epoch; on the CPU.
        augmentation: On the training's device.
        drop_path: On the training's device.
    """

    order: Generator
    augmentation: Generator
    drop_path: Generator


def generators(*entropy: int, device: torch.device | str = "cpu") -> Generators:
    """Fresh generators that depend on `entropy` alone, e.g. on (seed, generation, seat).

    Args:
        entropy: At least one whole number, each in 0..2**64 - 1.
        device: Of the generators for augmentation and drop-path.

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
