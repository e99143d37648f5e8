"""The architecture that a search by a distribution ends with."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from relativenas_optuna.spaces import Cell, CellSpace, Edge, Genotype, NASBench201
from relativenas_optuna.spaces.protocol import most_likely

if TYPE_CHECKING:
    from collections.abc import Mapping


def brute_force(space: CellSpace, probabilities: Mapping[str, Mapping[Any, float]]) -> float:
    """Return the largest product of edge strengths over all choices of different inputs."""
    total = 1.0
    for cell in ("normal", "reduce"):
        for node in range(2, space.nodes + 2):
            edges = list(itertools.product(range(node), space.operations))
            best = 0.0
            for choice in itertools.product(edges, repeat=space.inputs):
                different = len({number for number, _ in choice}) == space.inputs
                if space.inputs <= node and not different:
                    continue
                product = 1.0
                for slot, (number, operation) in enumerate(choice, start=1):
                    prefix = f"{cell}.node{node}."
                    product *= probabilities[f"{prefix}input{slot}"][number]
                    product *= probabilities[f"{prefix}op{slot}"][operation]
                best = max(best, product)
            total *= best
    return total


@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_most_likely_genotype_has_the_strongest_different_edges(inputs: int, seed: int) -> None:
    space = CellSpace(nodes=3, operations=("a", "b", "c"), inputs=inputs)
    rng = np.random.default_rng(seed)
    probabilities = {
        name: dict(
            zip(
                distribution.choices,
                rng.dirichlet(np.ones(len(distribution.choices))),
                strict=True,
            )
        )
        for name, distribution in space.distributions.items()
    }
    found = space.most_likely(probabilities)
    strength = math.prod(probabilities[n][value] for n, value in space.params(found).items())
    assert strength == pytest.approx(brute_force(space, probabilities), rel=1e-12)
    for cell in (found.normal, found.reduce):
        for number, node in enumerate(cell.nodes, start=2):
            assert inputs > number or len({edge.input for edge in node}) == inputs


def test_the_most_likely_genotype_of_a_uniform_distribution_is_the_first_one() -> None:
    space = CellSpace(nodes=1, operations=("only",))
    probabilities = {
        name: dict.fromkeys(distribution.choices, 1 / len(distribution.choices))
        for name, distribution in space.distributions.items()
        if len(distribution.choices) > 1  # as a sampler tells them
    }
    node = (Edge("only", 0), Edge("only", 1))
    assert space.most_likely(probabilities) == Genotype(Cell((node,)), Cell((node,)))


def test_both_edges_of_a_node_want_one_input_and_the_surer_gets_it() -> None:
    space = CellSpace(nodes=1, operations=("only",))
    wanted = {"input1": {0: 0.9, 1: 0.1}, "input2": {0: 0.6, 1: 0.4}}
    probabilities = {
        f"{cell}.node2.{name}": likely
        for cell in ("normal", "reduce")
        for name, likely in wanted.items()
    }
    found = space.most_likely(probabilities)
    assert [edge.input for edge in found.normal.edges] == [0, 1]


def test_another_space_takes_the_most_likely_value_of_each_parameter() -> None:
    space = NASBench201()
    params = {name: d.choices[-1] for name, d in space.distributions.items()}
    assert most_likely(space, {}, params) == space.genotype(params)


def test_a_space_with_strongest_edges_takes_these() -> None:
    space = CellSpace(nodes=1, operations=("only",))
    likely = {
        name: {0: 0.3, 1: 0.7} for name in space.distributions if name.endswith(("put1", "put2"))
    }
    found = most_likely(space, likely, {})
    assert found == space.most_likely(likely)
    assert {edge.input for edge in found.normal.edges} == {0, 1}
