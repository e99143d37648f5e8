"""Test stand-alone training with the settings of a search."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.evaluation.fidelity.train_standalone import (
    architecture_seed,
    initial_network,
    train_standalone,
)
from relativenas_optuna.exceptions import ProtocolError
from relativenas_optuna.networks.nasbench201 import NASBench201Supernet
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.spaces import CellSpace
from relativenas_optuna.spaces.nasbench201 import NASBench201
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.randomness import generators
from tests.helpers.tiny_search import SETTINGS, same_bits, tiny_images

EPOCHS = 3
PLAIN = replace(SETTINGS, padding=0, flip=False, cutout=0, drop_path=0.0, learning_rate=0.05)
SIZES = {"channels": 2, "num_classes": 10, "in_channels": 1}
SUPERNETS: list[tuple[Any, Any]] = [
    (CellSpace(nodes=1), lambda space: Supernet(space, cells=3, **SIZES)),
    (NASBench201(), lambda space: NASBench201Supernet(space, cells=1, **SIZES)),
]


class Tiny(nn.Module):
    """A network that knows nothing of drop-path."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.classifier = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.norm(images).flatten(1))
        return logits


class Maker:
    """A small object in the place of a supernet, which returns a stand-alone network."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def standalone(self, _genotype: object) -> nn.Module:
        return self.network


@pytest.mark.parametrize(("space", "build"), SUPERNETS, ids=["cells", "nasbench201"])
def test_initial_weights_depend_on_the_seed_only(space: Any, build: Any) -> None:
    genotype = space.random(np.random.default_rng(3))
    torch.manual_seed(0)
    one, other = build(space), build(space)
    for tensor in other.state_dict().values():
        tensor.fill_(math.nan if tensor.is_floating_point() else 7)
    before = torch.get_rng_state()
    states = [initial_network(s, genotype, seed=1).state_dict() for s in (one, other)]
    assert same_bits(*states)
    assert torch.equal(torch.get_rng_state(), before)
    another = initial_network(one, genotype, seed=2).state_dict()
    assert not torch.equal(states[0]["classifier.weight"], another["classifier.weight"])
    # The supernet keeps its own.
    assert all(t.isnan().all() for t in other.state_dict().values() if t.is_floating_point())


@pytest.mark.parametrize("clip", [5.0, 1e-2])
def test_training_equals_a_plain_loop(clip: float) -> None:
    settings = replace(PLAIN, clip=clip)
    data = tiny_images(50)
    training, validation = data.subset(range(31)), data.subset(range(31, 50))
    networks = [initial_network(Maker(Tiny()), None, seed=4) for _ in range(2)]
    found = train_standalone(
        networks[0], training, validation, settings=settings, epochs=EPOCHS, seed=9
    )
    network, loss = networks[1], functional.cross_entropy
    optimizer = torch.optim.SGD(
        network.parameters(), momentum=settings.momentum, weight_decay=settings.weight_decay
    )
    images = normalise(training.images, *training.statistics())
    network.train()
    for epoch in range(EPOCHS):
        order = torch.randperm(31, generator=generators(9, epoch).order)
        phase = math.cos(math.pi * epoch / EPOCHS)
        low, high = settings.learning_rate_end, settings.learning_rate
        optimizer.param_groups[0]["lr"] = low + (high - low) * (1 + phase) / 2
        for index in (order[:9], order[9:18], order[18:27], order[27:]):
            optimizer.zero_grad()
            loss(network(images[index]), training.labels[index]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
    network.eval()
    with torch.no_grad():
        logits = network(normalise(validation.images, *validation.statistics()))
    assert found.loss == pytest.approx(float(loss(logits, validation.labels)), rel=1e-4)
    assert found.accuracy == pytest.approx(
        float((logits.argmax(1) == validation.labels).float().mean())
    )


def test_the_metric_is_measured_too() -> None:
    found = train_standalone(
        Tiny(),
        tiny_images(20),
        tiny_images(20),
        settings=PLAIN,
        epochs=1,
        seed=0,
        metric=lambda logits, labels: float(len(labels)),
    )
    assert found.score == 20


def test_drop_path_is_used_if_the_network_takes_it() -> None:
    genotype = CellSpace(nodes=1).random(np.random.default_rng(0))
    supernet = Supernet(CellSpace(nodes=1), cells=3, **SIZES)

    def trained(network: nn.Module, drop_path: float) -> float:
        settings: SearchSettings = replace(PLAIN, drop_path=drop_path)
        data = tiny_images(20)
        return train_standalone(network, data, data, settings=settings, epochs=2, seed=0).loss

    with_it = [trained(initial_network(supernet, genotype, seed=0), p) for p in (0.0, 0.9)]
    assert with_it[0] != with_it[1]
    without = [trained(initial_network(Maker(Tiny()), None, seed=0), p) for p in (0.0, 0.9)]
    assert without[0] == without[1]


def test_a_diverged_training_stops_with_a_loss_that_is_not_finite() -> None:
    settings = replace(PLAIN, learning_rate=1e30, learning_rate_end=1e30, clip=1e30)
    data = tiny_images(20)
    found = train_standalone(Tiny(), data, data, settings=settings, epochs=10**9, seed=0)
    assert not math.isfinite(found.loss)


def test_seeds_differ_by_seed_and_architecture() -> None:
    seeds = {architecture_seed(seed, text) for seed in (0, 1, 11) for text in ("a", "b", "1 a")}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**64 for seed in seeds)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))


@pytest.mark.parametrize(
    ("supernet", "said"),
    [
        (nn.Identity(), "the supernet must have a method standalone"),
        (Maker(nn.Sequential(Own())), "module '0' .* must have a method reset_parameters"),
    ],
)
def test_modules_without_reset_parameters_are_refused(supernet: Any, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        initial_network(supernet, None, seed=0)


def test_zero_epochs_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs must be at least 1; got 0"):
        train_standalone(Tiny(), tiny_images(20), tiny_images(20), settings=PLAIN, epochs=0, seed=0)
