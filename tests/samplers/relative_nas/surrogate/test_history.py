"""The arrays of positions and losses, in whatever order they were added."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.samplers.relative_nas.surrogate.history import History


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    asked=st.lists(st.integers(-1, 4), max_size=6),
    dice=st.randoms(),
)
def test_history_is_in_the_order_of_generations_and_seats(
    sizes: list[int], asked: list[int], dice: object
) -> None:
    seats = [(g, seat) for g, size in enumerate(sizes) for seat in range(size)]
    shuffled = sorted(seats, key=lambda seat: (seat[0], dice.random()))  # type: ignore[attr-defined]
    history = History()
    for generation, seat in shuffled:
        history.add(generation, seat, np.array([generation, seat]), generation + seat / 100)
    for last in [generation for generation in asked if generation < len(sizes)]:
        positions, losses = history.up_to(last)
        expected = [seat for seat in seats if seat[0] <= last]
        assert [tuple(position) for position in positions.astype(int).tolist()] == expected
        assert losses.tolist() == [generation + seat / 100 for generation, seat in expected]
