"""Images, a small space, a genotype with twins, and what the published code wrote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from relativenas_optuna.networks import Supernet, draw_weights
from relativenas_optuna.spaces import CellSpace, Genotype

_GOLDEN = Path(__file__).parents[1] / "golden" / "cifar_C4_L5_RelativeNAS.npz"
SMALL = CellSpace(nodes=2, operations=("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
TWIN = Genotype.from_text(
    "normal: node2 sep_conv_3x3(0) sep_conv_3x3(0) | node3 skip_connect(2) max_pool_3x3(1)\n"
    "reduce: node2 skip_connect(1) skip_connect(1) | node3 sep_conv_3x3(2) sep_conv_3x3(0)"
)


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_supernet() -> Supernet:
    supernet = Supernet(SMALL, channels=4, cells=3)
    draw_weights(supernet, torch.Generator().manual_seed(0))
    return supernet


@dataclass(frozen=True)
class Golden:
    """A network of the published code: 7 classes, 4 channels, 5 cells, and an auxiliary head.

    Attributes:
        state: Its tensors by name.
        images: `[2, 3, 32, 32]`.
        logits: Logits of the images in evaluation mode, `[2, 7]`.
    """

    state: dict[str, Tensor]
    images: Tensor
    logits: Tensor


@cache
def golden() -> Golden:
    arrays = np.load(_GOLDEN, allow_pickle=False)
    tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    images, logits = tensors.pop("__input__"), tensors.pop("__logits__")
    return Golden(tensors, images, logits)
