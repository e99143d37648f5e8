"""Measure the latency of the networks of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from relativenas_optuna.evaluation.measurement.latency import latency
from relativenas_optuna.evaluation.standalone.setup import new_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relativenas_optuna.evaluation.comparison.workers import Conditions
    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.spaces.space_genotype import AnyGenotype

_SECONDS = 0.2  # of each measurement


def latencies(
    architectures: Iterable[AnyGenotype], conditions: Conditions, training: AnyImages
) -> dict[AnyGenotype, float]:
    """Return the median latency for one image in seconds, with torch's number of threads.

    Args:
        architectures: The architectures; their networks have initial weights.
        conditions: Recipe and device of the networks.
        training: Training images, which set the size of the networks.
    """
    found: dict[AnyGenotype, float] = {}
    for genotype in architectures:
        network = new_network(
            genotype,
            conditions.recipe_of(genotype),
            in_channels=training.shape[0],
            classes=len(training.classes),
            seed=0,
        )
        network.to(torch.device(conditions.device)).eval()
        found[genotype] = latency(network, training.shape, 1, seconds=_SECONDS).median
    return found
