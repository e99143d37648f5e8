"""Search for the depth of your own network on your own data set, with shared weights."""

from typing import Any

import optuna
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from relativenas_optuna import SupernetObjective
from relativenas_optuna.networks import check_supernet


class Depths:
    text, parse = staticmethod(str), staticmethod(int)

    @property
    def distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        return {"depth": optuna.distributions.IntDistribution(1, 3)}

    def genotype(self, params: Any) -> int:
        return int(params["depth"])

    def params(self, genotype: int) -> dict[str, Any]:
        return {"depth": genotype}

    def random(self, rng: Any) -> int:
        return int(rng.integers(1, 4))


class Network(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(c, 16, 3) for c in (channels, 16, 16))
        self.heads = nn.ModuleDict({str(n): nn.Linear(16, classes) for n in range(1, 4)})

    def forward(self, images: Tensor, depth: int, **_: Any) -> Tensor:
        for layer in self.layers[:depth]:
            images = layer(images).relu()
        return torch.as_tensor(self.heads[str(depth)](images.amax((2, 3))))

    def tensors(self, depth: int) -> dict[str, Tensor]:
        own = (f"heads.{depth}.", *(f"layers.{n}." for n in range(depth)))
        state = self.state_dict(keep_vars=True)
        return {name: tensor for name, tensor in state.items() if name.startswith(own)}


images, labels = map(torch.tensor, load_digits(return_X_y=True))
data = torch.utils.data.TensorDataset(images.view(-1, 1, 8, 8), labels)
check_supernet(Depths(), Network(1, 10), torch.randn(4, 1, 8, 8), classes=10)
objective = SupernetObjective(Depths(), data, supernet=Network, settings="digits")
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=12)
