"""Small backbones and counts for the networks of the tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from relativenas_optuna.networks import build

STAND_INS = ("mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0", "shufflenet_v2_x1_0")
"""The networks of torchvision in the tables of the paper."""


def small_backbone(*out_indices: int) -> Any:
    """Return a backbone that reads every one of its layers."""
    return build(
        "DARTS_V1", "imagenet", channels=4, cells=3, features_only=True, out_indices=out_indices
    )


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(network: nn.Module, images: Tensor) -> float:
    """Count the multiply-adds for one image of a batch, in the network's mode."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(images)
    return counter.get_total_flops() / 2 / len(images)


def without_gradient(network: nn.Module) -> list[str]:
    return [name for name, parameter in network.named_parameters() if parameter.grad is None]
