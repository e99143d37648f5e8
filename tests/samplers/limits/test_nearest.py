"""The nearest architecture within limits, against the enumeration of small spaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.limits.choices import LimitedChoices
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.samplers.limits.nearest import least_together, nearest
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit
from tests.helpers.samplers.limited_spaces import LimitedSpace, limited_spaces

if TYPE_CHECKING:
    from collections.abc import Sequence


def changes(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


@given(limited_spaces(most_limits=3), st.data())
def test_the_nearest_architecture_has_the_fewest_changes(
    space: LimitedSpace, data: st.DataObject
) -> None:
    asked = [data.draw(st.integers(0, len(values) - 1)) for values in space.values.values()]
    found = nearest(space.choices.costs, asked)
    within = [chosen for chosen in space.architectures if space.keeps(chosen)]
    if found is None:
        assert not within
        return
    assert space.keeps(found)
    assert changes(asked, found) == min(changes(asked, chosen) for chosen in within)
    assert found == nearest(space.choices.costs, asked)


@given(limited_spaces(most_limits=3))
def test_the_least_cost_under_the_other_limits(space: LimitedSpace) -> None:
    for row, name in enumerate(space.limits.by_name):
        others = Limits({n: x for n, x in space.limits.by_name.items() if n != name})
        rest = LimitedSpace(space.values, others)
        costs = [
            space.limits.by_name[name].of(rest.params(chosen))
            for chosen in rest.architectures
            if rest.keeps(chosen)
        ]
        assert least_together(space.choices.costs, row) == min(costs, default=None)


@given(limited_spaces(most_limits=3))
def test_limits_that_no_architecture_keeps_are_refused(space: LimitedSpace) -> None:
    if any(space.keeps(chosen) for chosen in space.architectures):
        space.choices.check()
    else:
        with pytest.raises(SettingsError, match=r"must be at least|contradict each other"):
            space.choices.check()


def test_a_changed_variable_gets_the_most_expensive_value_that_fits() -> None:
    wide = CostTerm(("width",), {(8,): 8.0, (16,): 16.0, (32,): 32.0, (64,): 64.0})
    deep = CostTerm(("depth",), {(1,): 1.0, (2,): 2.0})
    limits = Limits({"size": Limit(AdditiveCost(0.0, (wide, deep)), 40)})
    choices = LimitedChoices(limits, {"width": [8, 16, 32, 64], "depth": [1, 2]}, {})
    assert choices.nearest([3, 1]) == [2, 1]


def test_the_message_of_an_impossible_limit_gives_the_least_cost() -> None:
    one = CostTerm(("x",), {(0,): 10.0, (1,): 1.0})
    two = CostTerm(("x",), {(0,): 1.0, (1,): 10.0})
    values = {"x": [0, 1]}

    def check(first: float, second: float) -> None:
        limits = {"a": Limit(AdditiveCost(5.0, (one,)), first)}
        limits["b"] = Limit(AdditiveCost(0.0, (two,)), second)
        LimitedChoices(Limits(limits), values, {}).check()

    check(6, 10)
    with pytest.raises(SettingsError, match=re.escape("limits['a'] must be at least 6, the least")):
        check(5.5, 100)
    text = "limits['a'] must be at least 15, or no architecture keeps the limits of b too; got 8"
    with pytest.raises(SettingsError, match=re.escape(text)):
        check(8, 5)
