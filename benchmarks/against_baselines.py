"""Searches that are no samplers of Optuna: local search, and the order of size."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from optuna.distributions import CategoricalDistribution

from relativenas_optuna.networks import costs_of
from relativenas_optuna.spaces import NASBench201, space_descriptors

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from against_problems import Problem

    from relativenas_optuna.spaces import AdditiveCost, DescriptorFunction

    # It yields architectures as `Problem.unit`, and is sent the score of each.
    Steps = Generator[list[float], float, None]


def described(problem: Problem) -> DescriptorFunction | None:
    """Return the free descriptors of a problem's space, as a function of its parameters.

    Those of NAS-Bench-201 are the space's own, with the parameters and multiply-adds of the
    networks of the table. The other tables have none.
    """
    if not problem.is_nasbench201:
        return None
    space = NASBench201()
    describe = space_descriptors(space, _costs())
    assert describe is not None
    # The table has the edges in the same order, under other names.
    names = dict(zip(space.distributions, problem.space, strict=True))

    def of(params: Mapping[str, Any]) -> Mapping[str, float]:
        return describe({edge: params[name] for edge, name in names.items()})

    return of


@cache
def _costs() -> dict[str, AdditiveCost]:
    return costs_of("nasbench201", channels=16, cells=17, num_classes=10, input_size=(3, 32, 32))


def by_size(problem: Problem, seed: int) -> Steps:
    """Propose the architectures of NAS-Bench-201 by descending number of parameters.

    Architectures of equal size come in random order.
    """
    sizes = np.array(_sizes(tuple(problem.space)))
    order = np.lexsort((np.random.default_rng(seed).permutation(len(sizes)), -sizes))
    for row in order.tolist():
        yield [float(row // 5**place % 5) for place in range(5, -1, -1)]


@cache
def _sizes(names: tuple[str, ...]) -> list[float]:
    """Return the number of parameters of every architecture, in the order of the table."""
    cost, space = _costs()["parameters"], NASBench201()
    edges = list(space.distributions)
    return [
        cost.of(dict(zip(edges, chosen, strict=True)))
        for chosen in product(space.operations, repeat=len(names))
    ]


def local_search(problem: Problem, seed: int) -> Steps:
    """Propose the neighbours of a current architecture, and move to the first better one.

    It starts at a random architecture and looks at its neighbours, which differ in one choice, in
    random order. It moves to the first one that is better, and restarts at a random
    architecture where no neighbour is better. A score that is known is not asked for again.
    """
    random = np.random.default_rng(seed)
    counts = [
        len(d.choices) for d in problem.space.values() if isinstance(d, CategoricalDistribution)
    ]
    known: dict[tuple[int, ...], float] = {}
    while True:
        here = tuple(random.integers(counts).tolist())
        if here not in known:
            known[here] = yield list(map(float, here))
        moved = True
        while moved:
            moved = False
            neighbours = [
                (*here[:i], choice, *here[i + 1 :])
                for i, count in enumerate(counts)
                for choice in range(count)
                if choice != here[i]
            ]
            for index in random.permutation(len(neighbours)).tolist():
                other = neighbours[index]
                if other not in known:
                    known[other] = yield list(map(float, other))
                if known[other] < known[here]:
                    here, moved = other, True
                    break
