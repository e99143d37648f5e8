from __future__ import annotations

import pytest
import torch

from relativenas_optuna.networks import Cost, Supernet, build, cost
from relativenas_optuna.spaces import CellSpace, Genotype, published


@pytest.mark.slow_except("cifar10")
@pytest.mark.parametrize(
    ("dataset", "size", "millions"),
    [("cifar10", 32, 616.8), ("cifar100", 32, 616.9), ("imagenet", 224, 562.97)],
)
def test_published_networks_cost_what_the_reference_says(
    dataset: str, size: int, millions: float
) -> None:
    with torch.device("meta"):
        network = build("RelativeNAS", dataset, auxiliary=True)
    found = cost(network, (3, size, size))
    assert found.multiply_adds / 1e6 == pytest.approx(millions, rel=0.01)


def test_cost_equals_a_count_by_hand() -> None:
    # One reduction cell, nodes of 2 channels at half of 8x8 pixels, one sum of two poolings.
    pools = "node2 max_pool_3x3(0) avg_pool_3x3(1)"
    genotype = Genotype.from_text(f"normal: {pools}\nreduce: {pools}")
    network = build(genotype, channels=1, cells=1, num_classes=5)
    stem = 3 * 3 * 9
    preparation = 2 * (3 * 2)
    norms = 2 * (3 + 2 + 2)
    classifier = 2 * 5
    assert cost(network, (3, 8, 8)) == Cost(
        parameters=stem + preparation + norms + classifier + 5,
        multiply_adds=64 * (stem + preparation) + classifier,
    )


def test_the_auxiliary_head_costs_nothing() -> None:
    plain, helped = (
        cost(build("DARTS_V1", channels=2, cells=3, auxiliary=auxiliary), (3, 32, 32))
        for auxiliary in (False, True)
    )
    assert plain == helped


def test_cost_leaves_the_network_as_it_was() -> None:
    network = build("DARTS_V1", channels=2, cells=3, auxiliary=True)
    network.cells[0].eval()
    modes = [module.training for module in network.modules()]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    cost(network, (3, 32, 32))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())


def test_a_path_of_a_supernet_costs_less_than_the_supernet_holds() -> None:
    supernet = Supernet(CellSpace(), channels=4, cells=3)
    path = cost(supernet.standalone(published("DARTS_V2")), (3, 32, 32))
    assert 0 < path.parameters < sum(p.numel() for p in supernet.parameters())


def test_images_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="images must be"):
        cost(build("DARTS_V1", channels=2, cells=3), (1, 32, 32))
