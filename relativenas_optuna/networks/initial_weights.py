"""Initial weights from a given random generator."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw new weights of all convolutions and linear layers, as torch does, from `generator`.

    Weights and biases are uniform in ±1 / sqrt(fan-in). They are drawn on the device of the
    generator, so a CPU generator gives the same weights on every device.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 1.0 / math.sqrt(module.weight[0].numel())
            for parameter in module.parameters(recurse=False):
                drawn = torch.empty(parameter.shape, device=generator.device)
                parameter.copy_(drawn.uniform_(-bound, bound, generator=generator))
