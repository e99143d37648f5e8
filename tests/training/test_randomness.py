from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.training import generators

whole_numbers = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4).map(tuple)


def seeds(*entropy: int) -> tuple[int, int, int]:
    made = generators(*entropy)
    return (
        made.order.initial_seed(),
        made.augmentation.initial_seed(),
        made.drop_path.initial_seed(),
    )


@given(whole_numbers)
def test_the_same_numbers_give_the_same_three_different_streams(entropy: tuple[int, ...]) -> None:
    assert seeds(*entropy) == seeds(*entropy)
    assert len(set(seeds(*entropy))) == 3


def test_streams_of_a_search_are_all_different() -> None:
    trials = itertools.product(range(3), range(20), range(20))
    found = [seed for trial in trials for seed in seeds(*trial)]
    # The CPU's generator reads 32 bits of a seed only.
    assert len({seed % 2**32 for seed in found}) == len(found)


@pytest.mark.parametrize(
    ("one", "other"), [((1,), (1, 0)), ((2**32, 0), (0, 1)), ((0, 0), (0, 0, 0)), ((1, 2), (2, 1))]
)
def test_tuples_that_only_padding_tells_apart_differ(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    assert seeds(*one) != seeds(*other)


def test_the_global_generator_does_not_change() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = torch.rand(3, generator=generators(7, 1, 2).order)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3, generator=generators(7, 1, 2).order), first)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=rf"whole numbers in 0\.\.2\*\*64 - 1, got {number}"):
        generators(0, number)


def test_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one whole number, got none"):
        generators()
