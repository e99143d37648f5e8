from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from relativenas_optuna.networks import Supernet, draw_weights
from relativenas_optuna.spaces import CellSpace


def supernet(seed: int) -> Supernet:
    network = Supernet(CellSpace(nodes=2), channels=4, cells=3)
    draw_weights(network, torch.Generator().manual_seed(seed))
    return network


def test_weights_are_decided_by_the_generator_alone() -> None:
    first = supernet(0).state_dict()
    before = torch.get_rng_state()
    network = supernet(1)
    torch.set_rng_state(before)
    draw_weights(network, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[n], t) for n, t in network.state_dict().items())
    other = supernet(2).state_dict()
    assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])


def test_weights_are_as_wide_as_torch_makes_them() -> None:
    convolution = nn.Conv2d(8, 64, 3, groups=2, bias=False)
    linear = nn.Linear(300, 50)
    weights = [convolution.weight, linear.weight]
    bounds = [1 / math.sqrt(4 * 9), 1 / math.sqrt(300)]
    theirs = [weight.abs().max().item() for weight in weights]
    draw_weights(nn.Sequential(convolution, linear), torch.Generator().manual_seed(0))
    for weight, bound, largest in zip(weights, bounds, theirs, strict=True):
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert largest == pytest.approx(bound, rel=0.02)
        assert weight.mean().item() == pytest.approx(0, abs=0.05 * bound)
    assert linear.bias.abs().max().item() == pytest.approx(bounds[1], rel=0.15)
