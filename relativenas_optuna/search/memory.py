"""Refuse a search whose candidates do not fit in memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from relativenas_optuna.networks.activations import activation_bytes
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.training.step_memory import check_step_memory

if TYPE_CHECKING:
    from relativenas_optuna.objective.settings import SearchSettings

_TRIED = 3  # random architectures


def check_search_memory(
    settings: SearchSettings, *, images: int, input_size: tuple[int, int, int]
) -> None:
    """Raise if not even the smallest of a few random architectures can be trained in memory.

    Args:
        settings: How candidates are trained, on a CPU.
        images: Images in all, to train on and to score with.
        input_size: (channels, height, width) of an image.

    Raises:
        DataError: See `check_step_memory`.
    """

    def activations() -> float:
        space = CellSpace(nodes=settings.nodes)
        with torch.device("meta"):
            supernet = Supernet(
                space,
                channels=settings.channels,
                cells=settings.cells,
                in_channels=input_size[0],
            )
        rng = np.random.default_rng(0)
        paths = [space.random(rng) for _ in range(_TRIED)]
        found = [
            activation_bytes(supernet, partial(supernet, genotype=path), input_size)
            for path in paths
        ]
        return min(found) * (0.5 if settings.precision == "bfloat16" else 1.0)

    check_step_memory(
        activations,
        images=min(settings.batch_size, int(settings.train_fraction * images)),
        input_size=input_size,
        width=settings.channels * settings.nodes * settings.cells,
    )
