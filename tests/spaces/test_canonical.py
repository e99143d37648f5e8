from __future__ import annotations

from collections import Counter, defaultdict
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch

from relativenas_optuna.exceptions import ProtocolError
from relativenas_optuna.networks.conformance import check_genotype
from relativenas_optuna.networks.nasbench201 import NASBench201Supernet
from relativenas_optuna.spaces import Canonical, CellSpace, NASBench201, NASBench201Cell
from relativenas_optuna.spaces.canonical import canonical, canonical_draw

SPACE = NASBench201()
EVERY = [NASBench201Cell(names) for names in product(SPACE.operations, repeat=6)]
Expression = tuple[Any, ...]  # terms of a sum: ("x",), or (operation, number of its edge, input)


def expression(cell: NASBench201Cell) -> Expression:
    """Return the output of a cell as a sum of terms, in which each edge has weights of its own."""
    sums: dict[int, list[Any]] = {0: [("x",)], 1: [], 2: [], 3: []}
    for number, (node, read, name) in enumerate(cell.edges):
        if name == "skip_connect":
            sums[node] += sums[read]
        elif name != "none" and sums[read]:
            sums[node].append((name, number, tuple(sorted(sums[read]))))
    return tuple(sorted(sums[3]))


def edges_in(terms: Expression) -> set[tuple[str, int]]:
    below = (edges_in(term[2]) for term in terms if len(term) > 1)
    own = {(term[0], term[1]) for term in terms if len(term) > 1}
    return own.union(*below)


def renumbered(terms: Expression, numbers: dict[int, int]) -> Expression:
    return tuple(
        sorted(
            term if len(term) == 1 else (term[0], numbers[term[1]], renumbered(term[2], numbers))
            for term in terms
        )
    )


def signature(cell: NASBench201Cell) -> Expression:
    """Return the expression of a cell, whichever weights its edges take."""
    found = expression(cell)
    by_name = defaultdict(list)
    for name, number in sorted(edges_in(found)):
        by_name[name].append(number)
    ways = product(*(permutations(range(len(numbers))) for numbers in by_name.values()))
    own = [number for numbers in by_name.values() for number in numbers]
    return min(
        renumbered(found, dict(zip(own, [n for part in way for n in part], strict=True)))
        for way in ways
    )


def test_cells_share_a_representative_exactly_if_they_are_the_same_sum() -> None:
    by_function, by_representative = defaultdict(set), defaultdict(set)
    for cell in EVERY:
        by_function[signature(cell)].add(cell)
        by_representative[SPACE.canonical(cell)].add(cell)
    assert len(by_function) == 5_425  # one of them is nothing at all
    one, other = by_function.values(), by_representative.values()
    assert set(map(frozenset, one)) == set(map(frozenset, other))
    assert by_representative[None] == by_function[()]
    for representative, cells in by_representative.items():
        if representative is not None:
            assert representative in cells
            fewest = min(sum(name != "none" for name in cell.operations) for cell in cells)
            assert sum(name != "none" for name in representative.operations) == fewest


def test_cells_of_one_representative_have_equal_outputs_with_copied_weights() -> None:
    supernet = NASBench201Supernet(SPACE, channels=4, cells=1)
    with torch.no_grad():
        for name, tensor in supernet.state_dict().items():
            if ".operations.edge" in name and tensor.is_floating_point():
                first = name.replace(name.split(".operations.")[1][:7], "edge1_0")
                tensor.copy_(supernet.state_dict()[first])
    images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    random = np.random.default_rng(0)
    renamed = 0
    supernet.train()
    for _ in range(40):
        cell = SPACE.random(random)
        representative = SPACE.canonical(cell)
        if representative is not None and representative != cell:
            with torch.no_grad():
                outputs = supernet(images, cell), supernet(images, representative)
            torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)
            renamed += 1
    assert renamed > 10


def test_the_representative_of_a_smaller_space_is_in_it() -> None:
    space = NASBench201(operations=("nor_conv_3x3", "skip_connect", "avg_pool_3x3"))
    for names in product(space.operations, repeat=6):
        representative = space.canonical(NASBench201Cell(names))
        assert representative is not None
        space.params(representative)
    with pytest.raises(ValueError, match="not in this space"):
        space.canonical(NASBench201Cell(("none",) * 6))


def test_draws_are_uniform_over_the_representatives() -> None:
    space = NASBench201(operations=("none", "nor_conv_1x1"))
    known = {space.canonical(NASBench201Cell(n)) for n in product(space.operations, repeat=6)}
    known -= {None}
    random = np.random.default_rng(0)
    drawn = Counter(canonical_draw(space, space.random, random) for _ in range(200 * len(known)))
    assert drawn.keys() == known
    assert all(140 < number < 260 for number in drawn.values())


def test_a_space_without_the_method_draws_as_it_does_itself() -> None:
    space = CellSpace(nodes=1)
    assert not isinstance(space, Canonical)
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    genotype = canonical_draw(space, space.random, one)
    assert genotype == space.random(other)
    assert canonical(space, genotype) == genotype


def test_a_space_without_any_representative_still_draws() -> None:
    class Nothing(NASBench201):
        def canonical(self, genotype: NASBench201Cell) -> NASBench201Cell | None:
            return None

    space = Nothing()
    assert canonical_draw(space, space.random, np.random.default_rng(0)) in EVERY
    check_genotype(space, EVERY[0])


def test_the_conformance_check_refuses_a_representative_of_another_one() -> None:
    class Restless(NASBench201):
        def canonical(self, genotype: NASBench201Cell) -> NASBench201Cell | None:
            return NASBench201Cell((*genotype.operations[1:], genotype.operations[0]))

    check_genotype(Restless(), EVERY[0])
    with pytest.raises(ProtocolError, match="must represent itself"):
        check_genotype(Restless(), EVERY[1])
