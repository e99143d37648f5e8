"""Proposals of samplers with limits: none is above them."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from relativenas_optuna import MIGOSampler, RelativeNASSampler
from relativenas_optuna.samplers.populations import population_in
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm, Limit
from tests.helpers.samplers.limited_spaces import CELLS, cell_cost, random_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna.distributions import BaseDistribution

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler

COST = cell_cost()
# One random architecture of 100 keeps it.
LIMIT = float(np.quantile([COST.of(params) for params in random_cells(2_000, seed=1)], 0.01))
SAMPLERS: dict[str, Callable[..., PopulationSampler]] = {
    preset: lambda *a, preset=preset, **k: RelativeNASSampler(*a, preset=preset, **k)
    for preset in ("paper", "plain", "random")
}
SAMPLERS["migo"] = MIGOSampler
SAMPLERS["migo, not fair"] = partial(MIGOSampler, fair_sampling=False)
SAMPLERS["migo, pruned"] = partial(MIGOSampler, pruning_interval=2)


def loss(params: Mapping[str, Any]) -> float:
    """Return a loss that expensive operations lower, so that a search pushes to the limit."""
    return -COST.of(params) + 1_000 * float(params["normal.node2.input1"])


def asked(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> optuna.Trial:
    return study.ask(dict(space))


@pytest.mark.slow_except("relativenas", "not fair")
@pytest.mark.parametrize("name", SAMPLERS)
def test_no_proposal_is_above_a_limit_that_one_of_a_hundred_keeps(name: str) -> None:
    sampler = SAMPLERS[name](
        CELLS, population_size=20, seed=0, limits={"size": LIMIT}, costs={"size": COST}
    )
    study = optuna.create_study(sampler=sampler)
    number = 200 if name == "plain" else 1_000  # "plain" fits a model in each generation
    costs = []
    for _ in range(number):
        trial = asked(study, CELLS)
        costs.append(COST.of(trial.params))
        study.tell(trial, loss(trial.params))
    assert max(costs) <= LIMIT
    assert len({tuple(t.params.values()) for t in study.trials}) > number / 5
    if name in ("paper", "plain", "migo, not fair"):
        assert np.mean(costs[-100:]) > np.mean(costs[:100])


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_trial_has_the_distance_to_its_limit_as_a_constraint(name: str) -> None:
    sampler = SAMPLERS[name](CELLS, population_size=8, seed=0, limits={"size": Limit(COST, LIMIT)})
    study = optuna.create_study(sampler=sampler)
    made = [*sampler.ask_generation(study), *(asked(study, CELLS) for _ in range(5))]
    for trial in made:
        study.tell(trial, loss(trial.params))
    for done in study.trials:
        constraint = (COST.of(done.params) - LIMIT) / LIMIT
        assert done.constraints == {"limit on size": pytest.approx(constraint)}
        assert constraint <= 0
    assert study.best_trial.value == min(loss(t.params) for t in study.trials)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_enqueued_architecture_above_the_limit_is_scored_once_and_not_proposed_again(
    name: str,
) -> None:
    large = max(random_cells(100, seed=2), key=COST.of)
    sampler = SAMPLERS[name](
        CELLS, population_size=8, seed=0, limits={"size": LIMIT}, costs={"size": COST}
    )
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(large)
    for _ in range(60):
        trial = asked(study, CELLS)
        study.tell(trial, loss(trial.params))
    over = [t.number for t in study.trials if COST.of(t.params) > LIMIT]
    assert over == [0]
    assert max(study.trials[0].constraints.values()) > 0
    assert COST.of(study.best_trial.params) <= LIMIT  # Optuna's best trial is feasible


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_restarted_search_proposes_the_same_within_its_limits(
    name: str,
) -> None:
    def search(study: optuna.Study, restarts: bool) -> list[dict[str, Any]]:
        sampler: Any = SAMPLERS[name](
            CELLS, population_size=8, seed=3, limits={"size": LIMIT}, costs={"size": COST}
        )
        study.sampler = sampler
        for _ in range(30):
            if restarts and study.trials:
                study.sampler = type(sampler)()  # the study has all settings
            trial = asked(study, CELLS)
            study.tell(trial, loss(trial.params))
        return [t.params for t in study.trials]

    undisturbed = search(optuna.create_study(), restarts=False)
    assert search(optuna.create_study(), restarts=True) == undisturbed


SMALL: Mapping[str, BaseDistribution] = {
    "width": IntDistribution(8, 64, step=8),
    "depth": IntDistribution(1, 9),
    "rate": FloatDistribution(0.5, 2.0),
}


def volume(params: Mapping[str, Any]) -> float:
    return float(params["width"] * params["depth"] * params["rate"])


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_cost_may_be_a_function_of_all_parameters(name: str) -> None:
    sampler: Any = SAMPLERS[name](
        SMALL, population_size=10, seed=0, limits={"volume": 20}, costs={"volume": volume}
    )
    study = optuna.create_study(sampler=sampler)
    for _ in range(80):
        trial = asked(study, SMALL)
        study.tell(trial, -volume(trial.params))
    values = [volume(t.params) for t in study.trials]
    assert max(values) <= 20
    if name != "random":
        assert max(values) > 15
    # A process without the function sees the same architectures, and cannot continue the search.
    seen = population_in(study)
    study.sampler = optuna.samplers.RandomSampler()
    alone = population_in(study)
    assert seen is not None
    assert alone is not None
    for one, other in itertools.zip_longest(seen.generations[:-2], alone.generations[:-2]):
        for x, y in zip(one.positions, other.positions, strict=True):
            assert one.encoding is not None
            assert one.encoding.decode(x) == one.encoding.decode(y)
    study.sampler = type(sampler)()
    with pytest.raises(ValueError, match="limits must be given to continue study"):
        asked(study, SMALL)
    assert [t.state for t in study.trials][-1] == TrialState.FAIL


@pytest.mark.parametrize("name", SAMPLERS)
def test_extra_trials_and_trials_of_many_workers_keep_the_limit(name: str) -> None:
    sampler = SAMPLERS[name](
        CELLS, population_size=8, seed=0, limits={"size": LIMIT}, costs={"size": COST}
    )
    study = optuna.create_study(sampler=sampler)
    running = [asked(study, CELLS) for _ in range(12)]
    for _ in range(30):
        trial = running.pop(0)
        study.tell(trial, loss(trial.params))
        running.append(asked(study, CELLS))
    assert max(COST.of(t.params) for t in study.trials) <= LIMIT


def test_a_limit_at_the_exact_cost_of_an_architecture_is_kept_and_can_be_reached() -> None:
    """Sums of decimals as floats depend on their order, and several terms share a parameter."""
    names = [f"x{i}" for i in range(4)]
    space = {name: CategoricalDistribution([0, 1, 2]) for name in names}
    terms = [CostTerm((n,), {(0,): 0.0, (1,): 0.1, (2,): 0.7}) for n in names]
    terms += [
        CostTerm(pair, {(a, b): 0.2 * a * b for a in range(3) for b in range(3)})
        for pair in (("x0", "x1"), ("x1", "x2"))
    ]
    cost = AdditiveCost(0.3, tuple(terms))
    limit = cost.of(dict.fromkeys(names, 1))
    for sampler in (
        MIGOSampler(space, population_size=3, seed=0, limits={"c": Limit(cost, limit)}),
        RelativeNASSampler(space, seed=0, preset="random", limits={"c": Limit(cost, limit)}),
    ):
        study = optuna.create_study(sampler=sampler)
        for _ in range(300):
            study.tell(asked(study, space), 0.0)
        costs = [cost.of(t.params) for t in study.trials]
        assert max(costs) == limit
        assert all(value <= 0 for t in study.trials for value in t.constraints.values())
    least = cost.of(dict.fromkeys(names, 0))
    MIGOSampler(space, limits={"c": Limit(cost, least)})


@pytest.mark.parametrize("seed", range(8))
def test_pruning_under_a_limit_of_fractional_costs_goes_on(seed: int) -> None:
    """What the grid of costs cannot draw, the nearest architecture replaces."""
    names = [f"p{i}" for i in range(4)]
    space = {name: CategoricalDistribution(["a", "b", "c"]) for name in names}
    parts = [0.3141592653, 0.2914159265, 0.3341592653, 0.2714159265]
    cost = AdditiveCost(
        0.0,
        tuple(
            CostTerm((name,), {("a",): 0.0, ("b",): part, ("c",): 0.7071067811})
            for name, part in zip(names, parts, strict=True)
        ),
    )
    limits = {"c": Limit(cost, sum(parts) + 0.0005)}
    sampler = MIGOSampler(space, population_size=6, seed=seed, pruning_interval=2, limits=limits)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for _ in range(90):
        trial = asked(study, space)
        study.tell(trial, sum({"a": 0, "b": 1, "c": 0.9}[v] for v in trial.params.values()))
    assert max(cost.of(t.params) for t in study.trials) <= limits["c"].at_most


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_with_fixed_parameters_has_its_constraint() -> None:
    space = {name: CategoricalDistribution([0, 1, 2]) for name in ("a", "b")}
    cost = AdditiveCost(
        0.0, tuple(CostTerm((n,), {(k,): float(k) for k in range(3)}) for n in space)
    )
    sampler = RelativeNASSampler(space, seed=0, limits={"c": 2}, costs={"c": cost})
    study = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler({"a": 2}, sampler))
    study.optimize(lambda trial: sum(trial._suggest(n, d) for n, d in space.items()), n_trials=20)
    for trial in study.trials:
        assert trial.constraints == {"limit on c": (cost.of(trial.params) - 2) / 2}


def test_a_single_value_and_a_cost_without_terms_count_too() -> None:
    space = {"a": IntDistribution(1, 3), "b": IntDistribution(2, 2)}
    cost = AdditiveCost(1.0, (CostTerm(("a", "b"), {(a, 2): 2.0 * a for a in (1, 2, 3)}),))
    sampler = RelativeNASSampler(space, seed=0, limits={"c": 5}, costs={"c": cost})
    study = optuna.create_study(sampler=sampler)
    for _ in range(20):
        study.tell(asked(study, space), 0.0)
    assert {t.params["a"] for t in study.trials} == {1, 2}
