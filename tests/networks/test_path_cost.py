from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.networks import (
    Cost,
    CostLimits,
    NASBench201Supernet,
    PathCosts,
    Supernet,
    cost,
)
from relativenas_optuna.spaces import CellSpace, NASBench201, published
from tests.helpers.networks import TWIN, small_supernet


def test_a_path_costs_what_its_standalone_network_costs() -> None:
    space = CellSpace(nodes=3)
    supernet = Supernet(space, channels=4, cells=4, num_classes=7, in_channels=1)
    costs = PathCosts(supernet, (1, 12, 12))
    rng = np.random.default_rng(0)
    for genotype in [space.random(rng) for _ in range(4)]:
        assert costs.cost(genotype) == cost(supernet.standalone(genotype), (1, 12, 12))


def test_an_edge_that_occurs_twice_counts_twice() -> None:
    supernet = small_supernet()
    assert PathCosts(supernet, (3, 8, 8)).cost(TWIN) == cost(supernet.standalone(TWIN), (3, 8, 8))


def test_paths_of_nasbench201_cost_what_their_standalone_networks_cost() -> None:
    space = NASBench201()
    supernet = NASBench201Supernet(space, channels=3, cells=2)
    costs = PathCosts(supernet, (3, 16, 16))
    rng = np.random.default_rng(0)
    for genotype in [space.random(rng) for _ in range(4)]:
        assert costs.cost(genotype) == cost(supernet.standalone(genotype), (3, 16, 16))


def test_the_supernet_is_only_read() -> None:
    supernet = small_supernet()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    forwards = [module.forward for module in supernet.modules()]
    PathCosts(supernet, (3, 8, 8)).cost(TWIN)
    assert all(torch.equal(before[n], t) for n, t in supernet.state_dict().items())
    assert [module.forward for module in supernet.modules()] == forwards
    assert supernet.training


def test_hooks_of_the_supernet_are_not_called() -> None:
    supernet = small_supernet()
    seen: list[object] = []
    supernet.stem.register_forward_hook(lambda *args: seen.append(args))
    costs = PathCosts(supernet, (3, 8, 8))
    costs.cost(TWIN)
    assert not seen
    supernet(torch.zeros(2, 3, 8, 8), TWIN)
    assert len(seen) == 1


class Elastic(nn.Module):
    """Uses the first channels of one convolution: a cost that hangs on more than shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 1, 3, 3))
        self.heads = nn.ModuleDict({str(width): nn.Linear(width, 2) for width in (4, 8)})

    def forward(
        self,
        images: Tensor,
        width: int,
        *,
        drop_path: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        features = torch.conv2d(images, self.weight[:width], padding=1).mean((2, 3))
        logits: Tensor = self.heads[str(width)](features)
        return logits

    def tensors(self, width: int) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {"weight": self.weight}
        self.heads[str(width)].state_dict(
            destination=found, prefix=f"heads.{width}.", keep_vars=True
        )
        return found


def test_a_network_of_ones_own_without_a_standalone_one_is_counted_by_its_tensors() -> None:
    costs = PathCosts(Elastic(), (1, 5, 5))
    for width in (4, 8, 4):
        assert costs.cost(width) == Cost(
            parameters=8 * 9 + 2 * width + 2, multiply_adds=25 * 9 * width + 2 * width
        )


def test_what_cannot_be_counted_is_refused_in_one_line() -> None:
    class Looking(Elastic):
        def forward(self, images: Tensor, width: int, **options: object) -> Tensor:
            return super().forward(images, width if images.sum().item() else 8)

    with pytest.raises(ValueError, match="does not run on the meta device") as caught:
        PathCosts(Looking(), (1, 5, 5)).cost(4)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="images must be"):
        PathCosts(small_supernet(), (3, 2, 2)).cost(TWIN)
    with pytest.raises(ValueError, match="not in this space"):
        PathCosts(small_supernet(), (3, 8, 8)).cost(published("DARTS_V1"))


def test_limits_tell_by_how_much_a_cost_is_over() -> None:
    found = Cost(parameters=150, multiply_adds=1000)
    both = CostLimits(parameters=100, multiply_adds=2000)
    assert both.violations(found) == {"parameters": 0.5, "multiply_adds": -0.5}
    assert both.refusal(found) == "the architecture costs too much: 150 parameters (limit 100)"
    assert CostLimits(multiply_adds=1000).violations(found) == {"multiply_adds": 0.0}
    assert CostLimits(multiply_adds=1000).refusal(found) is None
    assert CostLimits().violations(found) == {}


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "10"])
def test_limits_that_are_no_counts_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="multiply_adds must be a whole number of at least 1"):
        CostLimits(multiply_adds=wrong)  # type: ignore[arg-type]
