"""A search by RelativeNAS with shared weights, written a second time in plain loops: the oracle.

Every learner trains a deep copy of the whole supernet, and a pair is committed name by name. One
whose loss is not finite is slowest and not committed. Of the package it takes the supernet's
forward pass, the random streams and the normalisation.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.networks.initial_weights import draw_weights
from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.training import Augmentation, Generators, ImageSet, generators
from relativenas_optuna.training.augmentation import normalise


@dataclass(frozen=True)
class Found:
    losses: list[list[float]]  # of each generation, in scoring order
    supernet: Supernet
    positions: list[list[list[float]]]  # of each generation, before it moves


def initial_supernet(
    space: CellSpace, images: ImageSet, settings: SearchSettings, seed: int
) -> Supernet:
    supernet = Supernet(
        space,
        channels=settings.channels,
        cells=settings.cells,
        num_classes=len(images.classes),
        in_channels=images.images.shape[1],
    )
    draw_weights(supernet, torch.Generator().manual_seed(seed))
    return supernet.to(memory_format=torch.channels_last)


def augmented(batch: ImageSet, settings: SearchSettings, streams: Generators) -> Tensor:
    """Crop, mirror, normalise and cut out image by image."""
    count, _, height, width = batch.images.shape
    draws = Augmentation(padding=settings.padding, flip=settings.flip, cutout=settings.cutout).draw(
        count, height, width, streams.augmentation
    )
    padded = functional.pad(batch.images, (settings.padding,) * 4)
    results = []
    for i in range(count):
        top, left = int(draws.top[i]), int(draws.left[i])
        image = padded[i, :, top : top + height, left : left + width]
        if draws.flip[i]:
            image = image.flip(2)
        image = normalise(image[None], *batch.statistics())[0]
        row, column = (int(c[i]) - settings.cutout // 2 for c in (draws.row, draws.column))
        image[
            :,
            max(row, 0) : max(row + settings.cutout, 0),
            max(column, 0) : max(column + settings.cutout, 0),
        ] = 0
        results.append(image)
    return torch.stack(results)


def trained(
    shared: Supernet,
    genotype: Genotype,
    data: ImageSet,
    settings: SearchSettings,
    *,
    seed: int,
    generation: int,
    seat: int,
) -> Supernet:
    """Return a copy of the supernet after one epoch of a candidate, with SGD written out."""
    network = deepcopy(shared).train()
    used = [t for t in network.tensors(genotype).values() if isinstance(t, nn.Parameter)]
    streams = generators(seed, generation, seat)
    progress = generation / settings.generations
    span = settings.learning_rate - settings.learning_rate_end
    rate = settings.learning_rate_end + span / 2 * (1 + math.cos(math.pi * progress))
    order = torch.randperm(len(data), generator=streams.order)
    batches = [
        order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)
    ]
    if len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    buffers: dict[int, Tensor] = {}
    for index in batches:
        batch = data.subset(index)
        images = augmented(batch, settings, streams).contiguous(memory_format=torch.channels_last)
        for parameter in used:
            parameter.grad = None
        logits = network(
            images,
            genotype,
            drop_path=settings.drop_path * progress,
            generator=streams.drop_path,
        )
        functional.cross_entropy(logits, batch.labels).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(used, settings.clip)
        sgd_step(used, buffers, settings, rate)
    return network


@torch.no_grad()
def sgd_step(
    parameters: list[nn.Parameter],
    buffers: dict[int, Tensor],
    settings: SearchSettings,
    rate: float,
) -> None:
    """Take a step of SGD with momentum, whose buffers are kept by position."""
    for i, parameter in enumerate(parameters):
        if parameter.grad is None:  # no node reads it
            continue
        change = parameter.grad.add(parameter, alpha=settings.weight_decay)
        if i in buffers:
            buffers[i].mul_(settings.momentum).add_(change)
        else:
            buffers[i] = change
        parameter.add_(buffers[i], alpha=-rate)


@torch.no_grad()
def loss_of(
    network: Supernet, genotype: Genotype, data: ImageSet, settings: SearchSettings
) -> float:
    network = deepcopy(network).eval()
    sums = []
    size = 2 * settings.batch_size
    for start in range(0, len(data), size):
        batch = data.subset(range(start, min(start + size, len(data))))
        images = normalise(batch.images, *batch.statistics())
        logits = network(images.contiguous(memory_format=torch.channels_last), genotype)
        sums.append(functional.cross_entropy(logits, batch.labels, reduction="sum").item())
    return math.fsum(sums) / len(data) if all(map(math.isfinite, sums)) else math.inf


def committed(
    shared: Supernet, fast: tuple[Genotype, Supernet], slow: tuple[Genotype, Supernet]
) -> Supernet:
    """Return the supernet after a commit by the rule of the paper, name by name."""
    result = deepcopy(shared)
    by_fast, by_slow = (learner[1].state_dict() for learner in (fast, slow))
    of_fast, of_slow = (shared.operation_names(learner[0]) for learner in (fast, slow))
    for name, tensor in result.state_dict().items():
        if ".operations." not in name or name in of_fast:
            tensor.copy_(by_fast[name])
        elif name in of_slow:
            tensor.copy_(by_slow[name])
    return result


def decoded(space: CellSpace, position: Any) -> Genotype:
    choices = {name: d.choices for name, d in space.distributions.items()}
    return space.genotype(
        {
            name: choices[name][max(math.ceil(x) - 1, 0)]
            for name, x in zip(choices, position.tolist(), strict=True)
        }
    )


def search(
    space: CellSpace,
    training: ImageSet,
    validation: ImageSet,
    settings: SearchSettings,
    *,
    seed: int,
) -> Found:
    n, high = settings.population, np.array([len(d.choices) for d in space.distributions.values()])
    stream = np.random.RandomState(seed)
    x, v = stream.rand(n, len(high)) * high, np.zeros((n, len(high)))
    supernet = initial_supernet(space, training, settings, seed)
    losses: list[list[float]] = []
    positions = []
    for generation in range(settings.generations):
        pairs = stream.permutation(n).reshape(n // 2, 2)
        l1, l2 = stream.rand(n // 2, len(high)), stream.rand(n // 2, len(high))
        positions.append(x.tolist())
        losses.append([])
        following = x.copy()
        for k, pair in enumerate(pairs):
            learners = []
            for place, member in enumerate(pair):
                genotype = decoded(space, x[member])
                network = trained(
                    supernet,
                    genotype,
                    training,
                    settings,
                    seed=seed,
                    generation=generation,
                    seat=2 * k + place,
                )
                loss = loss_of(network, genotype, validation, settings)
                whole = all(t.isfinite().all() for t in network.tensors(genotype).values())
                losses[-1].append(loss if whole and math.isfinite(loss) else math.inf)
                learners.append((genotype, network))
            order = (0, 1) if losses[-1][-2] <= losses[-1][-1] else (1, 0)
            of_pair = [learners[i] for i in order if math.isfinite(losses[-1][i - 2])]
            if of_pair:
                supernet = committed(supernet, of_pair[0], of_pair[-1])
            fast, slow = (pair[i] for i in order)
            v[slow] = l1[k] * v[slow] + l2[k] * (x[fast] - x[slow])
            following[slow] = np.clip(x[slow] + v[slow], 0, high)
        x = following
    return Found(losses, supernet, positions)
