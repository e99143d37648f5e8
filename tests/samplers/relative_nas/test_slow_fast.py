"""The learning rule, against a computation by hand and by its properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.samplers.relative_nas.slow_fast import diversity, learn


def drawn(seed: int, pairs: int, variables: int) -> dict[str, Any]:
    """Return the arguments for one generation, with velocities that cross the bounds."""
    random = np.random.default_rng(seed)
    low = random.uniform(-5, 5, variables)
    high = low + random.uniform(0.1, 9, variables)
    shape = (pairs, variables)
    return {
        "x_slow": random.uniform(low, high, shape),
        "v_slow": random.normal(scale=9, size=shape),
        "x_fast": random.uniform(low, high, shape),
        "l1": random.random(shape),
        "l2": random.random(shape),
        "low": low,
        "high": high,
    }


sizes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9))


def test_a_step_matches_a_computation_by_hand() -> None:
    x, v = learn(
        np.array([1.0, 6.5, 0.25, 2.0]),
        np.array([2.0, 3.0, -4.0, 0.0]),
        np.array([5.0, 4.5, 0.75, 2.0]),
        l1=np.array([0.5, 0.5, 0.5, 0.5]),
        l2=np.array([0.25, 0.0, 0.5, 0.5]),
        low=np.zeros(4),
        high=np.full(4, 7.0),
    )
    # 0.5 * 2 + 0.25 * 4 = 2;  1.5;  -2 + 0.25 = -1.75;  0
    assert v.tolist() == [2.0, 1.5, -1.75, 0.0]
    assert x.tolist() == [3.0, 7.0, 0.0, 2.0]


@given(sizes)
def test_positions_stay_in_bounds_and_velocities_are_not_clamped(size: tuple[int, ...]) -> None:
    arguments = drawn(*size)
    x, v = learn(**arguments)
    assert (arguments["low"] <= x).all()
    assert (x <= arguments["high"]).all()
    pull = arguments["l2"] * (arguments["x_fast"] - arguments["x_slow"])
    assert v.tolist() == (arguments["l1"] * arguments["v_slow"] + pull).tolist()
    at_bound = (x == arguments["low"]) | (x == arguments["high"])
    free = arguments["x_slow"] + v
    assert x[~at_bound].tolist() == free[~at_bound].tolist()


@given(sizes)
def test_one_pair_and_a_whole_generation_give_the_same_bits(size: tuple[int, ...]) -> None:
    arguments = drawn(*size)
    x, v = learn(**arguments)
    for pair in range(len(x)):
        row = {name: value if value.ndim == 1 else value[pair] for name, value in arguments.items()}
        x_row, v_row = learn(**row)
        assert x_row.tolist() == x[pair].tolist()
        assert v_row.tolist() == v[pair].tolist()


@given(sizes)
def test_equal_learners_at_rest_do_not_move(size: tuple[int, ...]) -> None:
    arguments = drawn(*size)
    arguments["x_fast"] = arguments["x_slow"].copy()
    arguments["v_slow"] = np.zeros_like(arguments["v_slow"])
    x, v = learn(**arguments)
    assert x.tolist() == arguments["x_slow"].tolist()
    assert not v.any()


@given(sizes)
def test_a_slow_learner_at_rest_moves_toward_its_fast_learner(
    size: tuple[int, ...],
) -> None:
    arguments = drawn(*size)
    arguments["v_slow"] = np.zeros_like(arguments["v_slow"])
    x, _ = learn(**arguments)
    ends = np.sort([arguments["x_slow"], arguments["x_fast"]], axis=0)
    rounding = 1e-14
    assert (ends[0] - rounding <= x).all()
    assert (x <= ends[1] + rounding).all()


@given(sizes)
def test_learn_does_not_change_its_arguments(size: tuple[int, ...]) -> None:
    arguments = drawn(*size)
    before = {name: value.copy() for name, value in arguments.items()}
    learn(**arguments)
    for name, value in arguments.items():
        assert value.tolist() == before[name].tolist()


def test_diversity_is_the_mean_distance_to_the_mean() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    assert diversity(corners) == math.sqrt(2)
    assert diversity(np.ones((6, 3))) == 0
