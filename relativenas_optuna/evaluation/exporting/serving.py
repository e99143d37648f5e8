"""Wrap a trained network so that it takes images in [0, 1] and returns logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from relativenas_optuna.networks.io.description import NetworkDescription


class ServingNetwork(nn.Module):
    """A network in evaluation mode that normalises its input.

    Args:
        network: Network on the CPU; it is put in evaluation mode.
        description: Description of the network, with mean and std.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, description: NetworkDescription) -> None:
        super().__init__()
        self.network, self.description = network, description
        # Same operations as in `normalise`, for images in [0, 1].
        std = torch.tensor(description.std)
        shift = -torch.tensor(description.mean) / std
        self.register_buffer("scale", (1 / std).view(-1, 1, 1))
        self.register_buffer("shift", shift.view(-1, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `[b, classes]` of float32 images `[b, c, h, w]` in [0, 1]."""
        logits: Tensor = self.network(images * self.scale + self.shift)
        return logits
