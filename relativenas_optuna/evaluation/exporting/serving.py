"""A trained network as programs take it: images in, logits out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from relativenas_optuna.networks.io.description import NetworkDescription
    from relativenas_optuna.networks.network import CellNetwork


class ServingNetwork(nn.Module):
    """A network that normalises its images itself, in evaluation mode.

    Args:
        network: On the CPU; it is put in evaluation mode.
        description: Of the network.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: CellNetwork, description: NetworkDescription) -> None:
        super().__init__()
        self.network, self.description = network, description
        # As `normalise` has it, for images in units of [0, 1].
        std = torch.tensor(description.std)
        shift = -torch.tensor(description.mean) / std
        self.register_buffer("scale", (1 / std).view(-1, 1, 1))
        self.register_buffer("shift", shift.view(-1, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """`[b, c, h, w]`, float32 in [0, 1], to logits `[b, classes]`."""
        logits: Tensor = self.network(images * self.scale + self.shift)
        return logits
