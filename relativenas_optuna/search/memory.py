"""Check before a search that its candidates fit in memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from relativenas_optuna.networks.activations import activation_bytes
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import BUILT_IN, NetworkSizes
from relativenas_optuna.training.step_memory import check_step_memory

if TYPE_CHECKING:
    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces.registry import RegisteredSpace

_TRIED = 3  # random architectures


def check_search_memory(
    settings: SearchSettings,
    *,
    images: int,
    input_size: tuple[int, int, int],
    space: RegisteredSpace = BUILT_IN[CELLS],
) -> None:
    """Raise if the smallest of a few random architectures does not fit in memory for training.

    Args:
        settings: Settings of the search, which trains on a CPU.
        images: Number of all images, for training and for evaluation.
        input_size: Shape of an image: (channels, height, width).
        space: Search space. A custom space is not checked, because its supernet may not run on
            the meta device.

    Raises:
        DataError: See `check_step_memory`.
    """
    if not space.built_in:
        return

    def activations() -> float:
        searched = space.space(settings.nodes)
        sizes = NetworkSizes(
            channels=settings.channels,
            cells=settings.cells,
            in_channels=input_size[0],
            num_classes=10,  # has little effect on memory
        )
        with torch.device("meta"):
            supernet = space.build_supernet(searched, sizes)
        rng = np.random.default_rng(0)
        paths = [searched.random(rng) for _ in range(_TRIED)]
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
