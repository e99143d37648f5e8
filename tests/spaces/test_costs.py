"""Costs by the parameters of a trial."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit

EDGE = CostTerm(
    ("input", "op"), {(0, "conv"): 90, (0, "skip"): 4.5, (1, "conv"): 90, (1, "skip"): 0}
)
DEPTH = CostTerm(("depth",), {(1,): 10.0, (2,): 20.0, (None,): 0.0})
COST = AdditiveCost(7.0, (EDGE, DEPTH))
costs = st.floats(0, 1e12)


def test_a_cost_is_the_sum_of_its_terms() -> None:
    assert COST.of({"input": 0, "op": "skip", "depth": 2, "lr": 0.1}) == 31.5
    assert COST.of({"input": 1, "op": "skip", "depth": None}) == 7.0
    assert COST.parameters == ("input", "op", "depth")
    assert AdditiveCost(3, ()).of({}) == 3


@given(
    st.builds(
        AdditiveCost,
        costs,
        st.lists(
            st.builds(
                CostTerm,
                st.just(("a", "b")),
                st.dictionaries(
                    st.tuples(st.text() | st.none(), st.integers() | st.booleans()),
                    costs,
                    min_size=1,
                ),
            )
        ).map(tuple),
    )
)
def test_a_cost_survives_json(cost: AdditiveCost) -> None:
    assert AdditiveCost.from_json(json.loads(json.dumps(cost.to_json()))) == cost


def test_an_unknown_value_is_named() -> None:
    with pytest.raises(ValueError, match=re.escape("no cost is known for {'depth': 3}")):
        COST.of({"input": 0, "op": "skip", "depth": 3})
    with pytest.raises(ValueError, match="no cost is known"):
        COST.of({"input": 0})


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "constant",
        {"constant": 1},
        {"constant": -1, "terms": []},
        {"constant": math.nan, "terms": []},
        {"constant": "1", "terms": []},
        {"constant": True, "terms": []},
        {"constant": 1, "terms": [{"parameters": ["a"], "costs": []}]},
        {"constant": 1, "terms": [{"parameters": ["a"], "costs": [[[1, 2], 3]]}]},
        {"constant": 1, "terms": [{"parameters": ["a"], "costs": [[[[1]], 3]]}]},
        {"constant": 1, "terms": [{"parameters": ["a"], "costs": [[[1], math.inf]]}]},
        {"constant": 1, "terms": [{"parameters": ["a", "a"], "costs": [[[1, 1], 1]]}]},
        {"constant": 1, "terms": [{"parameters": [1], "costs": [[[1], 1]]}]},
        {"constant": 1, "terms": 5},
    ],
)
def test_other_data_are_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        AdditiveCost.from_json(data)


def test_a_limit_takes_a_sum_or_a_function() -> None:
    params = {"input": 0, "op": "conv", "depth": 1}
    assert Limit(COST, 100).of(params) == 107.0
    assert Limit(lambda params: 2 * params["depth"], 5).of(params) == 2.0
    with pytest.raises(ValueError, match="at_most must be a number above 0, got 0"):
        Limit(COST, 0)
    with pytest.raises(ValueError, match="at_most must be a number above 0, got nan"):
        Limit(COST, math.nan)
    with pytest.raises(TypeError, match="cost must be an AdditiveCost or a function, got 3"):
        Limit(3, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the function returns must be a number from 0 to 1e"):
        Limit(lambda params: -1.0, 1).of(params)
