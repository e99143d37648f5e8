"""A small supernet, genotypes that share operations, and their training in place and in copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.weight_set import Trained, WeightSet
from relativenas_optuna.spaces import Cell, CellSpace, Edge, Genotype
from relativenas_optuna.training import Augmentation, generators, train_epoch
from tests.helpers.training.small import random_images

SPACE = CellSpace(nodes=2)
AUGMENTATION = Augmentation(padding=1, cutout=2)
IMAGES = random_images(12, side=8)


def supernet(*, memory_format: torch.memory_format = torch.contiguous_format) -> Supernet:
    torch.manual_seed(0)
    return Supernet(SPACE, channels=2, cells=3, num_classes=3).to(memory_format=memory_format)


def genotype(*operations: str) -> Genotype:
    """Two nodes; the operations read the inputs 0, 0, 1, 2 in both cells."""
    edges = tuple(map(Edge, operations, (0, 0, 1, 2)))
    cell = Cell((edges[:2], edges[2:]))
    return Genotype(cell, cell)


TWIN = genotype("sep_conv_3x3", "sep_conv_3x3", "dil_conv_5x5", "skip_connect")
KIN = genotype("sep_conv_3x3", "dil_conv_3x3", "dil_conv_5x5", "sep_conv_5x5")
POOLS = genotype("max_pool_3x3", "avg_pool_3x3", "max_pool_3x3", "skip_connect")


def pairs() -> Iterator[tuple[Genotype, Genotype]]:
    yield from [(TWIN, KIN), (KIN, TWIN), (TWIN, TWIN), (POOLS, TWIN), (KIN, POOLS)]
    rng = np.random.default_rng(3)
    for _ in range(4):
        yield SPACE.random(rng), SPACE.random(rng)


def train_in_place(
    network: Supernet, genotype: Genotype, parameters: list[nn.Parameter], seed: int
) -> None:
    streams = generators(seed)
    train_epoch(
        lambda images: network(images, genotype, drop_path=0.2, generator=streams.drop_path),
        parameters,
        IMAGES,
        module=network,
        optimizer=torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=3e-4),
        generators=streams,
        augmentation=AUGMENTATION,
        batch_size=6,
    )


def trained_in(weights: WeightSet, genotype: Genotype, seed: int) -> Trained:
    with weights.candidate(genotype) as candidate:
        train_in_place(weights.supernet, genotype, candidate.parameters, seed)
        return candidate.trained()


def trained_copy(shared: Supernet, genotype: Genotype, seed: int) -> Supernet:
    """Return a trained copy of the whole supernet, as a reference for training in place."""
    copy = deepcopy(shared)
    used = [t for t in copy.tensors(genotype).values() if isinstance(t, nn.Parameter)]
    train_in_place(copy, genotype, used, seed)
    return copy


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8)


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(bits(tensor), bits(other[name])), name
