"""Parameters with more values than exact floats, or with very many choices."""

from __future__ import annotations

import json
import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.cli.commands.ask_tell.search_space import read_space
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import decode, encode, finite_count, interval

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DENSE: list[IntDistribution | FloatDistribution] = [
    IntDistribution(0, 10**20),
    IntDistribution(0, 2**63 - 1),
    IntDistribution(-(10**19), 10**19 - 2, step=3),
    IntDistribution(0, 10**20, step=1000),
    IntDistribution(10**18 + 1, 10**18 + 1001),
    IntDistribution(2**53 - 5, 2**53 + 9),
    IntDistribution(0, 2**52 + 3),
    IntDistribution(0, 10**300),
    IntDistribution(1, 10**20, log=True),
    IntDistribution(2**62 + 1, 2**63 + 3, log=True),
    FloatDistribution(0, 1, step=1e-20),
    FloatDistribution(-1, 1, step=1e-16),
]
MANY = [
    FloatDistribution(0, 1e9, step=0.1),
    FloatDistribution(-1e9, 1e9, step=0.1),
    FloatDistribution(1e9, 2e9, step=0.1),
    FloatDistribution(0, 1e6, step=1e-9),
    IntDistribution(0, 2**52 - 3),
    IntDistribution(1, 2**40, log=True),
]


@pytest.mark.parametrize("distribution", [*DENSE, *MANY], ids=str)
def test_values_are_valid_stored_exactly_and_encode_back(
    distribution: IntDistribution | FloatDistribution,
) -> None:
    low, high = interval(distribution)
    random = Random(0)
    points = [low, high, *[low + (high - low) * random.random() ** power for power in (1, 30) * 99]]
    for point in points:
        x = min(max(point, low), high)
        value = decode(distribution, x)
        internal = distribution.to_internal_repr(value)
        assert distribution._contains(internal)
        assert distribution.to_external_repr(internal) == value
        back = encode(distribution, value)
        assert low <= back <= high
        again = decode(distribution, back)
        assert abs(again - value) <= 1e-12 * (distribution.high - distribution.low)
    assert (finite_count(distribution) is None) == (distribution in DENSE)
    if distribution.high - distribution.low > 10_000 and not distribution.log:
        middle = decode(distribution, (low + high) / 2)
        share = (middle - distribution.low) / (distribution.high - distribution.low)
        assert share == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("distribution", [*DENSE[:3], DENSE[-2], MANY[0]], ids=str)
def test_a_dense_parameter_is_searched(distribution: BaseDistribution) -> None:
    study = optuna.create_study(
        sampler=RelativeNASSampler({"a": distribution}, population_size=4, seed=1)
    )

    def objective(trial: optuna.Trial) -> float:
        return float(trial._suggest("a", distribution))

    study.optimize(objective, n_trials=40)
    sampler = study.sampler
    assert isinstance(sampler, RelativeNASSampler)
    for trial in sampler.ask_generation(study):
        study.tell(trial, objective(trial))
    for scored in study.trials:
        value = distribution.to_internal_repr(scored.params["a"])
        assert distribution._contains(value)
    low, high = (distribution.low, distribution.high)  # type: ignore[attr-defined]
    assert study.best_value < low + 0.05 * (high - low)


def test_dense_values_survive_the_json_of_ask_and_tell() -> None:
    for distribution in [*DENSE, *MANY]:
        text = optuna.distributions.distribution_to_json(distribution)
        assert read_space(json.dumps({"a": json.loads(text)})) == {"a": distribution}


def test_a_range_too_large_for_floats_is_an_error_in_one_line() -> None:
    with pytest.raises(ValueError, match="is too wide for a float: take a smaller range"):
        interval(IntDistribution(0, 10**400))


def test_many_choices_need_little_memory_and_stay_distinct() -> None:
    encoding = Encoding({"a": CategoricalDistribution(range(200_000))})
    positions = np.array([[0.5], [1.5], [447.5], [448.5], [199_999.5]])
    tracemalloc.start()
    try:
        features = encoding.features(positions)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    apart = ((features[:, None] - features) ** 2).sum(axis=2)
    assert apart[0] == pytest.approx([0, 0.5, 1, 1, 1], abs=0.5)
    assert (apart + np.eye(5) >= 0.4999).all()
