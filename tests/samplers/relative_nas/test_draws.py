"""The random numbers of a search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.samplers.relative_nas.draws import Draws, KeyedDraws, PaperDraws
from relativenas_optuna.samplers.seats.keyed_random import uniform

SIZE = 6
NAMES = ["b", "a", "c"]

seeds = st.integers(0, 2**32 - 1)


def paper(seed: int) -> Draws:
    return PaperDraws(seed, SIZE, len(NAMES))


def keyed(seed: int) -> Draws:
    return KeyedDraws(seed, SIZE)


both = pytest.mark.parametrize("draws", [paper, keyed])


@given(seed=seeds, size=st.integers(1, 10).map(lambda half: 2 * half), variables=st.integers(0, 9))
def test_paper_draws_equal_one_legacy_generator(seed: int, size: int, variables: int) -> None:
    draws = PaperDraws(seed, size, variables)
    names = [str(i) for i in range(variables)]
    stream = np.random.RandomState(seed)
    assert draws.start(names, 0).tolist() == stream.rand(size, variables).tolist()
    for generation in range(3):
        pairs = stream.permutation(size).reshape(size // 2, 2)
        assert draws.pairs(generation).tolist() == pairs.tolist()
        for matrix in draws.matrices(names, generation):
            assert matrix.tolist() == stream.rand(size // 2, variables).tolist()


@both
@given(seed=seeds, asked=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_draws_do_not_depend_on_earlier_calls(
    draws: Callable[[int], Draws], seed: int, asked: list[int]
) -> None:
    used = draws(seed)
    for generation in asked:
        fresh = draws(seed)
        l1, l2 = used.matrices(NAMES, generation)
        assert used.pairs(generation).tolist() == fresh.pairs(generation).tolist()
        assert l1.tolist() == fresh.matrices(NAMES, generation)[0].tolist()
        assert l2.tolist() == fresh.matrices(NAMES, generation)[1].tolist()
        assert used.start(NAMES, 0).tolist() == fresh.start(NAMES, 0).tolist()


@both
@given(seed=seeds, generation=st.integers(0, 4))
def test_draws_are_in_range_and_pairs_hold_every_member_once(
    draws: Callable[[int], Draws], seed: int, generation: int
) -> None:
    source = draws(seed)
    assert sorted(source.pairs(generation).ravel().tolist()) == list(range(SIZE))
    l1, l2 = source.matrices(NAMES, generation)
    assert l1.shape == l2.shape == (SIZE // 2, len(NAMES))
    start = source.start(NAMES, 0)
    assert start.shape == (SIZE, len(NAMES))
    for array in (l1, l2, start):
        assert ((array >= 0) & (array < 1)).all()


@both
def test_seeds_generations_and_matrices_have_different_draws(
    draws: Callable[[int], Draws],
) -> None:
    arrays = [
        matrix.tolist()
        for seed in (0, 1, 2**32 - 1)
        for generation in (0, 1)
        for matrix in draws(seed).matrices(NAMES, generation)
    ]
    for i, array in enumerate(arrays):
        assert array not in arrays[:i]


@given(seed=seeds, generation=st.integers(0, 9), kept=st.permutations("abcd"))
def test_keyed_draws_do_not_depend_on_other_parameters(
    seed: int, generation: int, kept: list[str]
) -> None:
    draws = KeyedDraws(seed, SIZE)
    for few in (kept[:1], kept[1:3]):
        columns = [kept.index(name) for name in few]
        start, fewer = draws.start(kept, generation), draws.start(few, generation)
        assert start[:, columns].tolist() == fewer.tolist()
        for whole, part in zip(
            draws.matrices(kept, generation), draws.matrices(few, generation), strict=True
        ):
            assert whole[:, columns].tolist() == part.tolist()


@given(seed=seeds, generation=st.integers(0, 9))
def test_keyed_initial_positions_are_drawn_by_seat(seed: int, generation: int) -> None:
    draws = KeyedDraws(seed, SIZE)
    members = draws.pairs(generation).ravel().tolist()
    start = draws.start(NAMES, generation)
    for seat, member in enumerate(members):
        assert start[member].tolist() == [uniform(seed, generation, seat, n) for n in NAMES]


def test_uniform_draws_are_uniform_and_differ() -> None:
    keys = [
        (s, g, seat, name) for s in (0, 7) for g in range(5) for seat in range(20) for name in "xy"
    ]
    values = [uniform(*key) for key in keys]
    assert len(set(values)) == len(keys)
    deciles = np.histogram(values, bins=10, range=(0, 1))[0]
    assert deciles.min() > len(keys) / 20
