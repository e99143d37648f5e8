"""Conversion between Optuna's distributions and intervals of one real variable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, encode, interval
from tests.helpers.samplers import strategies
from tests.helpers.samplers.strategies import TINIEST

NAN = math.nan


def same(one: Any, other: Any) -> bool:
    """Return True for equal values of one type; NaN equals itself."""
    if type(one) is not type(other):
        return False
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def values(distribution: BaseDistribution) -> list[Any]:
    """Return all values of a distribution with few of them."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    assert distribution.step is not None
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [distribution.low + k * distribution.step for k in range(count)]


@given(st.data(), strategies.distributions())
def test_a_point_decodes_to_a_valid_python_value(
    data: st.DataObject, distribution: BaseDistribution
) -> None:
    x = data.draw(strategies.points(*interval(distribution)))
    value = decode(distribution, x)
    assert distribution._contains(distribution.to_internal_repr(value))
    expected: tuple[type, ...] = (float,)
    if isinstance(distribution, IntDistribution):
        expected = (int,)
    if isinstance(distribution, CategoricalDistribution):
        expected = tuple(type(choice) for choice in distribution.choices)
    assert type(value) in expected


@given(st.data(), strategies.distributions())
def test_decoding_then_encoding_never_leaves_the_cell(
    data: st.DataObject, distribution: BaseDistribution
) -> None:
    low, high = interval(distribution)
    value = decode(distribution, data.draw(strategies.points(low, high)))
    x = encode(distribution, value)
    assert low <= x <= high
    again = decode(distribution, x)
    if isinstance(distribution, FloatDistribution) and distribution.log:
        # The logarithm of a very small or large number is rounded at the 10th bit.
        assert again == pytest.approx(value, rel=1e-12, abs=TINIEST)
    else:
        assert same(again, value)


@pytest.mark.parametrize(
    "distribution",
    [
        CategoricalDistribution(["a", None, True, NAN, 2, -2.5, "", math.inf]),
        CategoricalDistribution([7]),
        IntDistribution(-3, 4),
        IntDistribution(-7, 8, step=5),
        IntDistribution(5, 5),
        IntDistribution(1, 40, log=True),
        FloatDistribution(-0.3, 0.5, step=0.1),
        FloatDistribution(1.0, 1.00000001, step=1e-9),
        FloatDistribution(-1e6, 1e6, step=1e5),
        FloatDistribution(2.0, 2.0, step=0.5),
    ],
    ids=str,
)
def test_every_value_has_its_own_cell(distribution: BaseDistribution) -> None:
    low, high = interval(distribution)
    reached = [decode(distribution, x) for x in np.linspace(low, high, 20_001).tolist()]
    for value in values(distribution):
        assert same(decode(distribution, encode(distribution, value)), value)
        assert any(same(value, other) for other in reached)
    assert len({repr(value) for value in reached}) == len(values(distribution))


@pytest.mark.parametrize(
    "distribution",
    [
        CategoricalDistribution("abcd"),
        IntDistribution(-2, 7, step=3),
        FloatDistribution(0.5, 2.0, step=0.5),
    ],
    ids=str,
)
def test_a_whole_number_k_decodes_to_value_k_minus_1(
    distribution: BaseDistribution,
) -> None:
    all_values = values(distribution)
    assert interval(distribution) == (0.0, len(all_values))
    for k in range(1, len(all_values) + 1):
        assert decode(distribution, float(k)) == all_values[k - 1]
        assert decode(distribution, math.nextafter(k - 1, k)) == all_values[k - 1]
    assert decode(distribution, 0.0) == all_values[0]


@given(st.integers(1, 60), st.integers(0, 60))
def test_cells_of_a_log_integer_have_logarithmic_widths(low: int, width: int) -> None:
    distribution = IntDistribution(low, low + width, log=True)
    for value in (low, low + width // 2, low + width):
        inside = 1e-9
        assert decode(distribution, math.log(value - 0.5) + inside) == value
        assert decode(distribution, math.log(value + 0.5) - inside) == value


@given(strategies.floats())
def test_a_float_without_steps_encodes_to_itself(distribution: FloatDistribution) -> None:
    assert interval(distribution) == (distribution.low, distribution.high)
    for value in (distribution.low, distribution.high):
        assert decode(distribution, value) == encode(distribution, value) == value


@given(st.integers(2**53, 2**62), st.integers(-(2**62), 2**62), st.floats(0, 1))
def test_integers_larger_than_exact_floats_stay_in_range(
    width: int, low: int, share: float
) -> None:
    distribution = IntDistribution(low, low + width)
    _, high = interval(distribution)
    assert low <= decode(distribution, share * high) <= low + width


@pytest.mark.parametrize(
    "distribution",
    [FloatDistribution(-1e308, 1e308), FloatDistribution(-1e308, 1e308, step=1e307)],
    ids=["range", "steps"],
)
def test_an_interval_wider_than_a_float_is_an_error(distribution: FloatDistribution) -> None:
    with pytest.raises(ValueError, match="too wide for a float"):
        interval(distribution)


@given(strategies.spaces(), st.integers(0, 9))
def test_a_vector_has_one_variable_for_each_parameter_in_order(
    space: dict[str, BaseDistribution], seed: int
) -> None:
    encoding = Encoding.of({"single": IntDistribution(3, 3), **space})
    assert list(encoding.space) == list(space)
    assert [(lo, hi) for lo, hi in zip(encoding.low, encoding.high, strict=True)] == [
        interval(distribution) for distribution in space.values()
    ]
    share = np.random.default_rng(seed).random(len(space))
    x = encoding.low + share * (encoding.high - encoding.low)
    assert encoding.decode(x) == {
        name: decode(space[name], float(x[i])) for i, name in enumerate(space)
    }


@given(st.data(), strategies.spaces(min_size=2))
def test_a_position_scored_as_proposed_keeps_its_bits(
    data: st.DataObject, space: dict[str, BaseDistribution]
) -> None:
    encoding = Encoding.of(space)
    x = np.array([data.draw(strategies.points(*interval(d))) for d in space.values()])
    params = encoding.decode(x)
    assert encoding.adopt(x, params) is x
    params.pop(next(iter(space)))  # a conditional parameter
    assert encoding.adopt(x, params) is x
    assert encoding.adopt(x, {}) is x


@given(st.data(), strategies.spaces(min_size=2))
def test_a_parameter_scored_differently_moves_only_its_variable(
    data: st.DataObject, space: dict[str, BaseDistribution]
) -> None:
    encoding = Encoding.of(space)
    x = np.array([data.draw(strategies.points(*interval(d))) for d in space.values()])
    before = x.copy()
    name = next(iter(space))
    enqueued = decode(space[name], data.draw(strategies.points(*interval(space[name]))))
    assume(enqueued != encoding.decode(x)[name])
    adopted = encoding.adopt(x, {**encoding.decode(x), name: enqueued})
    again = encoding.decode(adopted)[name]
    assert again == (pytest.approx(enqueued, rel=1e-12) if type(again) is float else enqueued)
    assert adopted[1:].tolist() == before[1:].tolist()
    assert x.tolist() == before.tolist()


@pytest.mark.parametrize("value", ["d", 4, None], ids=repr)
def test_an_invalid_value_leaves_the_position(value: object) -> None:
    encoding = Encoding.of({"op": CategoricalDistribution("abc")})
    x = np.array([1.5])
    assert encoding.adopt(x, {"op": value}) is x


def test_a_number_out_of_range_leaves_the_position() -> None:
    encoding = Encoding.of({"x": FloatDistribution(0, 1)})
    x = np.array([0.25])
    assert encoding.adopt(x, {"x": 1.5}) is x
