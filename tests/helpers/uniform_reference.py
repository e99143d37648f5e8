"""The training on uniform paths, written a second time in plain loops: the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from relativenas_optuna.networks.supernet import Supernet
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.samplers.seats.keyed_random import keyed_generator
from relativenas_optuna.spaces import Genotype
from relativenas_optuna.training import ImageSet, generators
from tests.helpers.supernet_reference import augmented, sgd_step

KEY = 201  # of the random numbers of paths


def train(
    network: Supernet,
    data: ImageSet,
    settings: SearchSettings,
    draw: Callable[[np.random.Generator], Genotype],
    *,
    seed: int,
    stages: list[list[int]],
) -> None:
    """Train all weights with SGD written out; the momentum starts at zero in each stage."""
    network.train()
    parameters = list(network.parameters())
    for epochs in stages:
        buffers: dict[int, Tensor] = {}
        for epoch in epochs:
            streams, paths = generators(seed, epoch, 0, KEY), keyed_generator(seed, KEY, epoch)
            done = epoch / settings.uniform_epochs
            span = settings.learning_rate - settings.learning_rate_end
            rate = settings.learning_rate_end + span / 2 * (1 + math.cos(math.pi * done))
            masks = generators(seed, epoch, 0, KEY).drop_path
            order = torch.randperm(len(data), generator=streams.order)
            for start in range(0, len(order), settings.batch_size):
                batch = data.subset(order[start : start + settings.batch_size])
                images = augmented(batch, settings, streams)
                for parameter in parameters:
                    parameter.grad = None
                logits = network(
                    images.contiguous(memory_format=torch.channels_last),
                    draw(paths),
                    drop_path=settings.drop_path * done,
                    generator=masks,
                )
                functional.cross_entropy(logits, batch.labels).backward()  # type: ignore[no-untyped-call]
                used = [p for p in parameters if p.grad is not None]
                nn.utils.clip_grad_norm_(used, settings.clip)
                sgd_step(parameters, buffers, settings, rate)
        for parameter in parameters:
            parameter.grad = None
