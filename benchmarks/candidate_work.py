"""The candidates, images and settings that the benchmarks of candidates share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna.objective.settings import SearchSettings, preset
from relativenas_optuna.spaces import CellSpace, Genotype, published
from relativenas_optuna.training.data.images import Images

SPACE = CellSpace()
SIZES = {"C4L5": (4, 5), "C16L8": (16, 8)}


def settings_of(size: str) -> SearchSettings:
    """Return the settings of a size."""
    channels, cells = SIZES[size]
    paper = preset("paper")
    return replace(paper, channels=channels, cells=cells, batch_size=64, learning_rate=0.025)


def genotypes() -> list[Genotype]:
    """Return the published architecture, and two at random."""
    rng = np.random.default_rng(0)
    return [published("RelativeNAS"), SPACE.random(rng), SPACE.random(rng)]


def noise(count: int, seed: int) -> Images:
    """Return random images of 32x32 in ten classes."""
    generator = torch.Generator().manual_seed(seed)
    return Images(
        images=torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % 10,
        classes=tuple("0123456789"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


def logits_of(output: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Return the logits; there is no auxiliary head here."""
    assert isinstance(output, Tensor)
    return output
