"""Fair sampling within limits, against the enumeration of a small space."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.limits.limits import Limits
from relativenas_optuna.samplers.limits.within import WithinLimits
from relativenas_optuna.samplers.migo.categories import CategorySpace
from relativenas_optuna.samplers.migo.limited_sampling import LimitedSampling
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.migo.settings import MIGOArguments
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit

SPACE: dict[str, Any] = {
    "op": CategoricalDistribution(["skip", "pool", "conv"]),
    "width": IntDistribution(1, 12),  # more values than bins
    "more": CategoricalDistribution([True, False]),
    "lr": FloatDistribution(0, 1),
}
COUNTED = ["op", "width", "more"]
COST = AdditiveCost(
    1.0,
    (
        CostTerm(
            ("op", "width"),
            {
                (op, width): float(part * width)
                for part, op in enumerate(SPACE["op"].choices)
                for width in range(1, 13)
            },
        ),
        CostTerm(("more",), {(True,): 5.0, (False,): 0.0}),
    ),
)
AT_MOST = 12.0
CATEGORIES = CategorySpace(Encoding.of(SPACE), 4, frozenset(COUNTED))
COUNTS = CATEGORIES.counts


def sampling() -> LimitedSampling:
    limits = Limits({"size": Limit(COST, AT_MOST)})
    return LimitedSampling(WithinLimits(limits, SPACE, 0), CATEGORIES, {})


def possible() -> list[tuple[int, ...]]:
    labels = [CATEGORIES.variables[name].labels for name in COUNTED]
    return [
        chosen
        for chosen in itertools.product(*(range(len(known)) for known in labels))
        if COST.of({n: k[i] for n, k, i in zip(COUNTED, labels, chosen, strict=True)}) <= AT_MOST
    ]


thetas = st.lists(
    st.lists(st.floats(0.01, 1), min_size=max(COUNTS), max_size=max(COUNTS)),
    min_size=len(COUNTS),
    max_size=len(COUNTS),
).map(
    lambda rows: np.array(
        [
            np.where(np.arange(max(COUNTS)) < count, row, 0) / sum(row[:count])
            for row, count in zip(rows, COUNTS, strict=True)
        ]
    )
)


def test_a_counted_parameter_has_a_category_for_each_value_and_others_have_bins() -> None:
    assert dict(zip(SPACE, COUNTS, strict=True)) == {"op": 3, "width": 12, "more": 2, "lr": 4}


@given(thetas, st.integers(0, 1_000))
def test_a_sweep_is_as_fair_as_the_limit_allows(theta: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    sweep = sampling().positions(theta, 12, random, fair=True)
    uses = [[0] * count for count in COUNTS]
    for position in sweep:
        sample = CATEGORIES.sample_of(CATEGORIES.encoding.decode(position))
        assert tuple(sample[:3]) in possible()

        def excess(chosen: Any) -> int:
            return sum(uses[v][c] - min(uses[v]) for v, c in enumerate(chosen))

        assert excess(sample[:3]) == min(map(excess, possible()))
        for variable, category in enumerate(sample):
            uses[variable][category] += 1
    assert max(uses[3]) - min(uses[3]) <= 1  # no limit counts it


@given(thetas)
def test_the_most_likely_architecture_keeps_the_limit(theta: Any) -> None:
    def probability(chosen: Any) -> float:
        return float(math.prod(theta[v, c] for v, c in enumerate(chosen)))

    position = sampling().most_likely(theta)
    found = CATEGORIES.sample_of(CATEGORIES.encoding.decode(position))
    assert tuple(found[:3]) in possible()
    best = max(map(probability, possible()))
    assert probability(found[:3]) == pytest.approx(best, rel=1e-5)
    assert found[3] == theta[3].argmax()


@given(st.lists(st.booleans(), min_size=3 * 12, max_size=3 * 12))
def test_what_is_possible_with_some_categories(flags: list[bool]) -> None:
    alive = np.zeros((4, max(COUNTS)), dtype=np.bool_)
    for variable, count in enumerate(COUNTS):
        alive[variable, :count] = (flags * 2)[variable * 12 : variable * 12 + count]
        alive[variable, count - 1] = True
    expected = any(all(alive[v, c] for v, c in enumerate(chosen)) for chosen in possible())
    assert sampling().is_possible(alive) == expected


def test_pruning_leaves_an_architecture_within_the_limit() -> None:
    """The best scores are those of the most expensive architectures, so cheap ones are dropped."""
    limits = Limits({"size": Limit(COST, 4.0)})
    arguments = MIGOArguments(24, 0, SPACE, limits=limits, pruning_interval=1)
    population = DistributionPopulation(
        arguments.new_settings(None),  # type: ignore[arg-type]
        [StudyDirection.MINIMIZE],
    )
    population.advance()
    distribution, sampling = population._states[0].distribution, population._sampling
    assert sampling is not None
    labels = {name: CATEGORIES.variables[name].labels for name in COUNTED}
    params = [
        dict(zip(COUNTED, values, strict=True)) | {"lr": 0.5}
        for values in itertools.product(*labels.values())
    ]
    ranks = [-int(COST.of(one)) for one in params]
    for _ in range(40):
        distribution = distribution.updated(
            params, ranks, population.settings, sampling.is_possible
        )
        assert sampling.is_possible(distribution.theta > 0)
    left = (distribution.theta > 0).sum(axis=1)
    assert left.prod() < 12 * 3 * 2  # it did prune
