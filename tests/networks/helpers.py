"""Pictures, a small space and a genotype with twins."""

from __future__ import annotations

import torch
from torch import Tensor

from relativenas_optuna.networks import Supernet, draw_weights
from relativenas_optuna.spaces import CellSpace, Genotype

SMALL = CellSpace(nodes=2, operations=("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
TWIN = Genotype.from_text(
    "normal: node2 sep_conv_3x3(0) sep_conv_3x3(0) | node3 skip_connect(2) max_pool_3x3(1)\n"
    "reduce: node2 skip_connect(1) skip_connect(1) | node3 sep_conv_3x3(2) sep_conv_3x3(0)"
)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_supernet() -> Supernet:
    supernet = Supernet(SMALL, channels=4, cells=3)
    draw_weights(supernet, torch.Generator().manual_seed(0))
    return supernet
