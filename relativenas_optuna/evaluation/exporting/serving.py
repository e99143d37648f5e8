"""Wrap a trained network so that it takes images in [0, 1] and returns its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from relativenas_optuna.evaluation.tasks.registry import CLASSIFICATION, task_named

if TYPE_CHECKING:
    from relativenas_optuna.networks.io.description import NetworkDescription


class ServingNetwork(nn.Module):
    """A network in evaluation mode that normalises its input.

    Args:
        network: Network on the CPU; it is put in evaluation mode.
        description: Description of the network, with task, mean and std.

    Attributes:
        outputs: Names of the tensors that it returns.
        description: Description of the network.

    Raises:
        TaskError: The task of the network is not registered in this process.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, description: NetworkDescription) -> None:
        super().__init__()
        self.description = description
        self._trained = [network]  # in a list, since its task can leave out layers
        self.outputs: tuple[str, ...] = ("logits",)
        self.network = network.eval()
        if description.task != CLASSIFICATION:
            task = task_named(description.task)
            self.outputs, self.network = task.outputs, task.serving(network)
        # Same operations as in `normalise`, for images in [0, 1].
        std = torch.tensor(description.std)
        shift = -torch.tensor(description.mean) / std
        self.register_buffer("scale", (1 / std).view(-1, 1, 1))
        self.register_buffer("shift", shift.view(-1, 1, 1))
        self.eval()

    @property
    def trained(self) -> nn.Module:
        """The network as it was trained."""
        return self._trained[0]

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the outputs for float32 images `[b, c, h, w]` in [0, 1].

        Returns:
            Logits `[b, classes]` of a classifier; otherwise the tensors named by `outputs`.
        """
        found: Tensor | tuple[Tensor, ...] = self.network(images * self.scale + self.shift)
        return found
