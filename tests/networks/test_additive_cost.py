"""Costs as sums over the parameters of a trial: equal to the counted costs, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from torch import Tensor, nn

from relativenas_optuna import SupernetObjective
from relativenas_optuna.networks import (
    NASBench201Supernet,
    PathCosts,
    Supernet,
    build,
    cost,
    costs_of,
    network_costs,
)
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.spaces import (
    CellSpace,
    NASBench201,
    NASBench201Cell,
    published,
)
from tests.helpers.networks import TWIN, small_supernet
from tests.helpers.own_space import DEPTHS, DepthNetwork, Depths
from tests.helpers.tiny_search import tiny_images

SPACES = [
    (CellSpace(), Supernet(CellSpace(), channels=2, cells=4, num_classes=3)),
    (CellSpace(nodes=2, inputs=3), Supernet(CellSpace(nodes=2, inputs=3), channels=3, cells=1)),
    (NASBench201(), NASBench201Supernet(NASBench201(), channels=2, cells=1)),
]


@pytest.mark.parametrize(("space", "supernet"), SPACES, ids=("cells", "one cell", "nasbench201"))
def test_the_sum_is_the_counted_cost_of_1000_random_architectures(
    space: Any, supernet: Any
) -> None:
    counted, costs = PathCosts(supernet, (3, 9, 9)), network_costs(supernet, space, (3, 9, 9))
    rng = np.random.default_rng(1)
    drawn = [space.random(rng) for _ in range(1000)]
    for genotype in drawn:
        params = space.params(genotype)
        assert {name: one.of(params) for name, one in costs.items()} == vars(counted.cost(genotype))
    assert len({costs["parameters"].of(space.params(one)) for one in drawn}) > 20
    for one in costs.values():
        # One term for each edge with a choice that costs something; the least choice costs nothing.
        assert {term.parameters for term in one.terms} <= set(space.cost_groups)
        assert all(min(term.costs.values()) == 0 for term in one.terms)


def test_an_edge_that_occurs_twice_counts_twice() -> None:
    supernet = small_supernet()
    costs = network_costs(supernet, supernet.space, (3, 8, 8))
    params = supernet.space.params(TWIN)
    counted = cost(supernet.standalone(TWIN), (3, 8, 8))
    assert {name: one.of(params) for name, one in costs.items()} == vars(counted)


def test_a_skip_connection_costs_something_at_the_inputs_of_a_reduction_cell_only() -> None:
    supernet: Any = SPACES[0][1]
    costs = network_costs(supernet, CellSpace(), (3, 9, 9))["parameters"]
    tables = {term.parameters[1]: term.costs for term in costs.terms}
    for name, cells_read in (("normal.node5.op1", set()), ("reduce.node5.op1", {0, 1})):
        skips = {read for read in range(5) if tables[name][read, "skip_connect"] > 0}
        assert skips == cells_read


def test_costs_of_a_space_at_the_size_that_is_trained() -> None:
    costs = costs_of("cells", channels=36, cells=5, num_classes=7, input_size=(1, 32, 32))
    for name in ("RelativeNAS", "MIGO-NAS-1"):
        params = CellSpace().params(published(name))
        with torch.device("meta"):
            network = build(
                name, channels=36, cells=5, num_classes=7, in_channels=1, pool_norm=False
            )
        counted = {key: one.of(params) for key, one in costs.items()}
        assert counted == vars(cost(network, (1, 32, 32)))


def test_costs_of_nasbench201_at_the_size_of_its_table() -> None:
    costs = costs_of("nasbench201", channels=16, cells=17, num_classes=10, input_size=(3, 32, 32))
    convolutions = NASBench201Cell(("nor_conv_3x3",) * 6)
    params = NASBench201().params(convolutions)
    assert costs["parameters"].of(params) == 1_531_546


def test_building_the_costs_leaves_the_random_state_as_it_was() -> None:
    before = torch.get_rng_state()
    found = costs_of(DEPTHS, channels=9, cells=9, num_classes=2, input_size=(1, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)
    counted = PathCosts(DepthNetwork(1, 2), (1, 8, 8))
    for depth in (1, 2, 3):
        expected = vars(counted.cost(depth))
        assert {name: one.of({"depth": depth}) for name, one in found.items()} == expected


def test_the_objective_has_the_costs_of_its_supernet() -> None:
    space = CellSpace(nodes=2)
    settings = SearchSettings(channels=2, cells=3, padding=0, cutout=0)
    objective = SupernetObjective(space, tiny_images(40), settings=settings, device="cpu")
    genotype = space.random(np.random.default_rng(0))
    expected = cost(objective.supernet.standalone(genotype), objective.training.shape)
    params = space.params(genotype)
    assert {name: one.of(params) for name, one in objective.costs.items()} == vars(expected)
    assert objective.costs is objective.costs


# --- spaces of one's own


class Widths:
    """Two layers of chosen widths; a parameter without a cost; groups if they are given."""

    def __init__(self, *groups: tuple[str, ...]) -> None:
        self.distributions: dict[str, BaseDistribution] = {
            "first": IntDistribution(2, 6, step=2),
            "second": CategoricalDistribution((1, 3)),
            "share": FloatDistribution(0.5, 1.0, step=0.25),
            "slope": FloatDistribution(0.1, 1.0, log=True),
        }
        if groups:
            self.cost_groups = groups

    def genotype(self, params: Mapping[str, Any]) -> tuple[int, int, float, float]:
        first, second, share, slope = (params[name] for name in self.distributions)
        return int(first), int(second), float(share), float(slope)

    def params(self, genotype: tuple[int, int, float, float]) -> dict[str, Any]:
        return dict(zip(self.distributions, genotype, strict=True))

    def text(self, genotype: tuple[int, int, float, float]) -> str:
        return " ".join(map(str, genotype))

    def parse(self, text: str) -> tuple[int, int, float, float]:
        first, second, share, slope = text.split()
        return int(first), int(second), float(share), float(slope)

    def random(self, rng: np.random.Generator) -> tuple[int, int, float, float]:
        drawn = optuna.samplers.RandomSampler(seed=int(rng.integers(1000)))
        trial = optuna.create_study(sampler=drawn).ask(self.distributions)
        return self.genotype(trial.params)


class WidthNetwork(nn.Module):
    """The product of the widths is the number of weights between the layers: not a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6, 3))
        self.bias = nn.Parameter(torch.ones(4))

    def forward(self, images: Tensor, genotype: Any, **_: Any) -> Tensor:
        first, second, share, slope = genotype
        rows = images.flatten(1)[:, :first] @ self.weight[:first, :second] * slope
        logits: Tensor = rows.sum(1, keepdim=True) + self.bias[: round(4 * share)].sum()
        return logits

    def tensors(self, genotype: Any) -> dict[str, Tensor]:
        return dict(self.named_parameters())

    def parameter_count(self, genotype: Any) -> int:
        first, second, share, _ = genotype
        return int(first * second + round(4 * share))


def test_groups_of_a_space_make_products_a_sum() -> None:
    space = Widths(("second", "first"), ("share",), ("slope",))
    costs = network_costs(WidthNetwork(), space, (1, 3, 3))
    params = {"first": 4, "second": 3, "share": 0.75, "slope": 0.123}
    assert costs["parameters"].of(params) == 4 * 3 + 3
    assert costs["multiply_adds"].of(params) == 4 * 3
    named = [[term.parameters for term in one.terms] for one in costs.values()]
    assert named == [[("second", "first"), ("share",)], [("second", "first")]]


def test_costs_that_are_no_sum_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="costs of a Widths are no sum over its param") as caught:
        network_costs(WidthNetwork(), Widths(), (1, 3, 3))
    assert "cost_groups" in str(caught.value)
    assert "path_costs.cost(space.genotype(params)).parameters" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "odd"),
    [
        ((("first", "second"), ("share",)), "slope"),
        ((("first", "second"), ("share", "first"), ("slope",)), "first"),
        ((("first", "second", "share", "slope", "third"),), "third"),
    ],
)
def test_groups_that_do_not_hold_each_parameter_once_are_refused(
    groups: tuple[tuple[str, ...], ...], odd: str
) -> None:
    with pytest.raises(ValueError, match=f"each parameter .* once; '{odd}' is not so"):
        network_costs(WidthNetwork(), Widths(*groups), (1, 3, 3))


def test_a_parameter_of_too_many_values_is_refused() -> None:
    space = Widths()
    space.distributions["first"] = IntDistribution(1, 10**9)
    with pytest.raises(ValueError, match="would need 1,000,000,005 counted architectures"):
        network_costs(WidthNetwork(), space, (1, 3, 3))


def test_a_space_that_does_not_have_all_combinations_is_refused() -> None:
    class Odd(Depths):
        def genotype(self, params: Any) -> int:
            if params["depth"] == 2:
                raise ValueError("depth must be odd")
            return super().genotype(params)

    with pytest.raises(ValueError, match="not all combinations are in it: depth must be odd"):
        network_costs(DepthNetwork(1, 2), Odd(), (1, 8, 8))
