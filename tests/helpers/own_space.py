"""A search space and networks as a user writes them: the depth of a small network."""

from __future__ import annotations

from typing import Any

import optuna
import torch
from torch import Tensor, nn

from relativenas_optuna.spaces import register_space


class Depths:
    """Architectures of 1 to 3 layers; an architecture is the number."""

    distributions = {"depth": optuna.distributions.IntDistribution(1, 3)}  # noqa: RUF012
    text = staticmethod(str)

    def genotype(self, params: Any) -> int:
        return int(params["depth"])

    def params(self, genotype: int) -> dict[str, Any]:
        return {"depth": genotype}

    def parse(self, text: str) -> int:
        if text not in ("1", "2", "3"):
            raise ValueError(f"depth must be 1, 2 or 3, got {text!r}")
        return int(text)

    def random(self, rng: Any) -> int:
        return int(rng.integers(1, 4))


class DepthNetwork(nn.Module):
    """A supernet: deeper architectures share the first layers of shallower ones."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        widths = (in_channels, 8, 8)
        self.layers = nn.ModuleList(nn.Conv2d(width, 8, 3, padding=1) for width in widths)
        self.heads = nn.ModuleDict({str(n): nn.Linear(8, num_classes) for n in range(1, 4)})

    def forward(self, images: Tensor, depth: int, **_: Any) -> Tensor:
        for layer in self.layers[:depth]:
            images = layer(images).relu()
        return torch.as_tensor(self.heads[str(depth)](images.amax((2, 3))))

    def tensors(self, depth: int) -> dict[str, Tensor]:
        own = (f"heads.{depth}.", *(f"layers.{n}." for n in range(depth)))
        state = self.state_dict(keep_vars=True)
        return {name: tensor for name, tensor in state.items() if name.startswith(own)}


def standalone(depth: int, in_channels: int, num_classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width in (in_channels, 8, 8)[:depth]:
        layers += [nn.Conv2d(width, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))


DEPTHS = register_space("depths", Depths(), supernet=DepthNetwork, network=standalone)
BARE = register_space("bare_depths", Depths(), supernet=DepthNetwork)
