"""Free descriptors: what they count, and that equal networks have equal ones."""

from __future__ import annotations

import math
import pickle
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import IntDistribution

from relativenas_optuna.spaces import (
    AdditiveCost,
    CellSpace,
    CostTerm,
    Genotype,
    NASBench201,
    NASBench201Cell,
    space_descriptors,
)

SPACE = NASBench201()


def signature(cell: NASBench201Cell) -> object:
    """Return what a cell computes, up to the names of its convolutions and poolings.

    Each convolution and pooling is a module that reads a sum of modules and of the input "x".
    """
    sums: dict[int, Counter[object]] = {0: Counter(["x"])}
    modules: list[tuple[str, Counter[object]]] = []
    for node, read, operation in cell.edges:
        total = sums.setdefault(node, Counter())
        if operation == "skip_connect":
            total.update(sums[read])
        elif operation != "none" and sums[read]:
            modules.append((operation, sums[read]))
            total[len(modules) - 1] += 1
    live, left = set[object](), set(sums[3]) - {"x"}
    while left:
        live |= left
        left = {m for i in left for m in modules[i][1]} - live - {"x"}  # type: ignore[call-overload]
    forms = []
    for order in permutations(sorted(live)):  # type: ignore[type-var]
        names: dict[object, object] = {"x": "x"} | {m: str(i) for i, m in enumerate(order)}
        read_by = [
            (modules[m][0], sorted((names[s], n) for s, n in modules[m][1].items()))  # type: ignore[call-overload]
            for m in order
        ]
        forms.append(repr((read_by, sorted((names[s], n) for s, n in sums[3].items()))))
    return min(forms)


def test_cells_that_compute_the_same_have_the_same_descriptors() -> None:
    random = np.random.default_rng(0)
    by_function = defaultdict(list)
    for cell in dict.fromkeys(SPACE.random(random) for _ in range(1500)):
        by_function[signature(cell)].append(SPACE.descriptors(cell))
    assert sum(len(group) > 1 for group in by_function.values()) > 100
    for group in by_function.values():
        assert all(found == pytest.approx(group[0]) for found in group)


def test_live_edges_and_paths_are_counted() -> None:
    cell = SPACE.parse(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    assert SPACE.descriptors(cell) == {
        "nor_conv_1x1": 1,
        "nor_conv_3x3": 2,
        "avg_pool_3x3": 1,
        "skip_connect": 1,
        "convolutions": 3,
        "longest path": 3,
        "shortest path": 1,
        "mean path": pytest.approx((3 + 1 + 1) / 3),
        "paths": 3,
        "skip path": 0,
        "broken": 0,
    }


def test_a_cell_without_a_path_is_broken() -> None:
    found = SPACE.descriptors(
        SPACE.parse("|none~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|")
    )
    assert found.pop("broken") == 1
    assert set(found.values()) == {0}


def test_the_identity_is_a_skip_path() -> None:
    for text in (
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|",
    ):
        found = SPACE.descriptors(SPACE.parse(text))
        assert (found["skip path"], found["skip_connect"], found["paths"]) == (1, 1, 1)


def test_a_pair_of_cells_is_described_cell_by_cell() -> None:
    genotype = Genotype.from_text(
        """normal: node2 sep_conv_3x3(0) skip_connect(1) | node3 dil_conv_3x3(2) max_pool_3x3(2)
        reduce: node2 max_pool_3x3(0) max_pool_3x3(1) | node3 skip_connect(0) skip_connect(1)"""
    )
    space = CellSpace(nodes=2)
    found = space.descriptors(genotype)
    normal = {n.removeprefix("normal."): x for n, x in found.items() if n.startswith("normal.")}
    assert {name: x for name, x in normal.items() if x} == {
        "sep_conv_3x3": 1,
        "skip_connect": 1,
        "dil_conv_3x3": 1,
        "max_pool_3x3": 1,
        "convolutions": 3,
        "longest path": 3,
        "mean path": 2.5,
        "depth": 2,
        "inputs": 3,
        "direct": 2,
    }
    assert found["reduce.longest path"] == found["reduce.convolutions"] == 0
    assert found["reduce.direct"] == 4


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_a_nodes_edges_does_not_matter(seed: int) -> None:
    space = CellSpace()
    params = space.params(space.random(np.random.default_rng(seed)))
    swapped = {f"{name[:-1]}{3 - int(name[-1])}": value for name, value in params.items()}
    one, other = (space.descriptors(space.genotype(p)) for p in (params, swapped))
    assert one == other


def test_costs_join_as_logarithms() -> None:
    conv = CostTerm(("edge3_0",), {(name,): 9.0 * ("conv" in name) for name in SPACE.operations})
    costs: dict[str, Any] = {
        "parameters": AdditiveCost(1.0, (conv,)),
        "edges": lambda params: float(len(params)),
    }
    describe = space_descriptors(SPACE, costs)
    assert describe is not None
    cell = SPACE.parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    found = pickle.loads(pickle.dumps(space_descriptors(SPACE)))(SPACE.params(cell))  # noqa: S301
    assert found == SPACE.descriptors(cell)
    assert describe(SPACE.params(cell)) == found | {
        "log parameters": math.log(11),
        "log edges": math.log(7),
    }


class Depths:
    """A space that describes nothing."""

    distributions: Mapping[str, IntDistribution] = {"depth": IntDistribution(1, 4)}

    def genotype(self, params: Mapping[str, Any]) -> int:
        return int(params["depth"])

    def params(self, genotype: int) -> dict[str, Any]:
        return {"depth": genotype}

    def text(self, genotype: int) -> str:
        return str(genotype)

    def parse(self, text: str) -> int:
        return int(text)

    def random(self, rng: np.random.Generator) -> int:
        return int(rng.integers(1, 5))


def test_a_space_without_descriptors_has_its_costs_alone() -> None:
    assert space_descriptors(Depths()) is None
    describe = space_descriptors(Depths(), {"parameters": lambda params: params["depth"] - 1.0})
    assert describe is not None
    assert describe({"depth": 2}) == {"log parameters": math.log(2)}
