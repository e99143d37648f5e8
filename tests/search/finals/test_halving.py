from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.search.finals.halving import (
    planned_passes,
    ranking,
    rung_epochs,
    rung_sizes,
    steps_of,
    with_size,
)
from relativenas_optuna.search.finals.scores import DIVERGED, RungScore
from relativenas_optuna.search.finals.settings import FinalsSettings


def score(accuracy: float, loss: float = 1.0) -> RungScore:
    return RungScore(loss=loss, accuracy=accuracy)


@pytest.mark.parametrize(
    ("entrants", "rungs", "keep", "sizes"),
    [
        (8, 3, 0.5, (8, 4, 2)),
        (8, 9, 0.5, (8, 4, 2)),
        (8, 1, 0.5, (8,)),
        (9, 4, 1 / 3, (9, 3, 2)),
        (5, 9, 0.5, (5, 3, 2)),
        (3, 3, 1.0, (3, 3, 3)),
        (2, 3, 0.5, (2,)),
        (1, 3, 0.5, (1,)),
    ],
)
def test_sizes_of_rungs(entrants: int, rungs: int, keep: float, sizes: tuple[int, ...]) -> None:
    assert rung_sizes(entrants, rungs=rungs, keep=keep) == sizes


@given(
    entrants=st.integers(1, 64), rungs=st.integers(1, 10), keep=st.floats(1e-6, 1, exclude_min=True)
)
def test_rungs_never_grow_and_end_with_two_at_least(entrants: int, rungs: int, keep: float) -> None:
    sizes = rung_sizes(entrants, rungs=rungs, keep=keep)
    assert sizes[0] == entrants
    assert len(sizes) <= rungs
    assert list(sizes) == sorted(sizes, reverse=True)
    assert min(sizes) >= min(2, entrants)


@pytest.mark.parametrize(
    ("shortlist", "steps"),
    [(2, (2,)), (3, (2, 1)), (4, (2, 1, 1)), (5, (3, 2)), (8, (4, 2, 2)), (16, (8, 4, 4))],
)
def test_a_shortlist_grows_by_a_half_and_quarters(shortlist: int, steps: tuple[int, ...]) -> None:
    assert steps_of(FinalsSettings(shortlist=shortlist)) == steps


def test_every_rung_gets_the_same_share_of_the_passes() -> None:
    assert rung_epochs((8, 4, 2), 48) == (2, 4, 8)
    assert rung_epochs((8, 4, 2), 64) == (3, 5, 10)  # 24, then 20 of 40, then the rest
    assert rung_epochs((16, 4), 48) == (2, 4)
    assert rung_epochs((8, 4, 2), 1) == (1, 1, 1)


@given(sizes=st.lists(st.integers(1, 64), min_size=1, max_size=10), passes=st.integers(1, 10**6))
def test_the_passes_are_kept_to_half_an_epoch_of_the_last_rung(
    sizes: list[int], passes: int
) -> None:
    epochs = rung_epochs(sizes, passes)
    total = sum(size * count for size, count in zip(sizes, epochs, strict=True))
    assert min(epochs) >= 1
    assert 1 in epochs or abs(total - passes) <= sizes[-1] / 2


def test_planned_passes_are_those_of_all_trainings() -> None:
    assert planned_passes(FinalsSettings(), 48) == 16 * 2 + 4 * 4
    assert planned_passes(FinalsSettings(passes=64), 48) == 16 * 2 + 4 * 8
    assert planned_passes(FinalsSettings(shortlist=2), 9) == 2 * 4  # rounded to even


def test_the_small_target_ranks_by_loss_then_accuracy_then_order() -> None:
    scores = {0: score(0.5), 3: DIVERGED, 1: score(0.7), 2: score(0.4, 0.9), 4: score(0.5)}
    assert ranking(scores, [9, 9, 9, 9, 9], target="small", first={}) == [2, 1, 0, 4, 3]


def test_the_full_target_counts_loss_and_size_in_standard_deviations_of_the_first_rung() -> None:
    # Both standard deviations are those of two values: half of their difference.
    first = {0: score(0.5, 0.5), 1: score(0.5, 0.7), 2: DIVERGED}
    parameters = [round(math.e**7), round(math.e**9), 1]
    # 0.2 / 0.1 is 2, and (9 - 7) / 1 as well: a little more or less of the loss decides.
    for better, order in ((0.51, [1, 0, 2]), (0.49, [0, 1, 2])):
        scores = {0: score(0.5, better), 1: score(0.5, 0.7), 2: DIVERGED}
        assert ranking(scores, parameters, target="full", first=first) == order


def test_a_small_difference_in_size_does_not_decide_between_finalists() -> None:
    """Rank a much lower loss before 4 % more parameters."""
    first = {n: score(0.5, 1.9 + 0.05 * n) for n in range(8)}
    parameters = [800, 830, 830, 100, 200, 300, 400, 500]
    last = {0: score(0.5, 1.76), 1: score(0.5, 1.88), 2: score(0.5, 1.93)}
    assert ranking(last, parameters, target="full", first=first) == [0, 1, 2]


def test_sizes_that_are_all_alike_do_not_decide() -> None:
    first = {n: score(0.5, 1.6 + 0.1 * n) for n in range(5)}
    last = {0: score(0.5, 1.5), 1: score(0.5, 1.6), 2: score(0.5, 1.66)}
    parameters = [1000, 1040, 1020, 1010, 1030]
    assert ranking(last, parameters, target="full", first=first) == [0, 1, 2]


def test_a_training_that_nearly_diverged_does_not_change_what_losses_count() -> None:
    losses = [1.6, 1.65, 1.7, 1.75, 1.8, 1.85, 1.9]
    first = {n: score(0.5, loss) for n, loss in enumerate(losses)}
    parameters = [1000, 1050, 1100, 1150, 1200, 1250, 1300, 1275]
    before = ranking(first, parameters, target="full", first=first)
    first[7] = score(0.5, 40.0)
    assert ranking(first, parameters, target="full", first=first) == [*before, 7]


@given(st.floats(0.1, 5), st.floats(0.1, 5), st.integers(1, 10**6), st.integers(1, 10**6))
def test_of_two_that_balance_the_one_with_the_lower_loss_is_first(
    loss: float, its_loss: float, size: int, its_size: int
) -> None:
    scores = {0: score(0.5, loss), 1: score(0.5, its_loss)}
    within = 2 * min(loss, its_loss) >= max(loss, its_loss)
    if within and abs(math.log((1 + size) / (1 + its_size))) > 1 and loss != its_loss:
        order = ranking(scores, [size, its_size], target="full", first=scores)
        assert order == ([0, 1] if loss < its_loss else [1, 0])


def test_numbers_of_parameters_may_be_absurd() -> None:
    scores = {0: score(0.5, 1.0), 1: score(0.5, 2.0)}
    assert ranking(scores, [0, 10**400], target="full", first=scores) == [0, 1]


@given(
    scored=st.lists(
        st.one_of(
            st.just(DIVERGED),
            st.builds(score, st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([1.0, 2.0])),
        ),
        max_size=8,
    ),
    data=st.data(),
)
def test_rankings_hold_everybody_once_and_diverged_ones_last(
    scored: list[RungScore], data: st.DataObject
) -> None:
    scores = dict(enumerate(scored))
    parameters = [data.draw(st.integers(1, 4)) for _ in scored]
    small = ranking(scores, parameters, target="small", first=scores)
    full = ranking(scores, parameters, target="full", first=scores)
    for ranked in (small, full):
        assert sorted(ranked) == sorted(scores)
        diverged = [scores[number].diverged for number in ranked]
        assert diverged == sorted(diverged)
    by_loss = ranking(scores, [7] * len(scored), target="full", first=scores)
    losses = [scores[number].loss for number in small if not scores[number].diverged]
    assert [scores[number].loss for number in by_loss][: len(losses)] == losses


@given(
    pairs=st.lists(
        st.tuples(st.floats(0.1, 10), st.integers(1, 10**6)), min_size=2, max_size=8, unique=True
    )
)
def test_the_full_target_prefers_what_is_better_and_larger(pairs: list[tuple[float, int]]) -> None:
    scores = {number: score(0.5, loss) for number, (loss, _) in enumerate(pairs)}
    parameters = [size for _, size in pairs]
    order = ranking(scores, parameters, target="full", first=scores)
    for place, one in enumerate(order):
        for other in order[:place]:
            (loss, size), (its_loss, its_size) = pairs[one], pairs[other]
            assert not (loss < its_loss and size > its_size)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=8))
def test_an_item_before_another_in_both_ranks_comes_first(items: list[tuple[int, int]]) -> None:
    order = with_size([rank for rank, _ in items], [size for _, size in items])
    place = {item: number for number, item in enumerate(order)}
    for one, (rank, size) in enumerate(items):
        for other, (its_rank, its_size) in enumerate(items):
            if rank < its_rank and size >= its_size:
                assert place[one] < place[other]
