"""Costs, limits, a second value, and a loss and a metric of one's own."""

from __future__ import annotations

import math
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from torch.nn import functional

from relativenas_optuna.networks import Cost, CostLimits, cost
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.pairwise_searches import (
    accuracy,
    aiming,
    assert_is_by_hand,
    by_hand,
    by_seat,
    is_trained,
)
from tests.helpers.tiny_search import (
    SEATS,
    SETTINGS,
    SPACE,
    Scoring,
    database,
    same_bits,
    sampler,
    study,
)


@cache
def limits(kept_by: float = 0.5) -> CostLimits:
    """Return limits that about a given share of the architectures keeps."""
    rng = np.random.default_rng(0)
    supernet = aiming().supernet
    costs = [cost(supernet.standalone(SPACE.random(rng)), (1, 8, 8)) for _ in range(9)]
    ranked = sorted(found.multiply_adds for found in costs)
    return CostLimits(multiply_adds=ranked[int(kept_by * len(ranked))])


def cost_of(scoring: Scoring, trial: FrozenTrial) -> Cost:
    return cost(scoring.supernet.standalone(SPACE.genotype(trial.params)), (1, 8, 8))


# --- costs and limits


def test_a_candidate_over_a_limit_costs_no_training() -> None:
    scoring, found = aiming(limits=limits()), study()
    passes: list[object] = []
    scoring.supernet.register_forward_hook(lambda *args: passes.append(args))
    for _ in range(SEATS):
        before, version, done = scoring.weights.snapshot(), scoring.weights.version, len(passes)
        found.optimize(scoring, n_trials=1)
        trial = found.trials[-1]
        spent = cost_of(scoring, trial)
        violations = limits().violations(spent)
        assert trial.constraints == violations
        assert math.isinf(trial.value or 0.0) == (violations["multiply_adds"] > 0)
        attrs = trial.user_attrs
        assert Cost(attrs["parameters"], attrs["multiply_adds"]) == spent
        if not is_trained(trial):
            assert trial.value == math.inf
            assert len(passes) == done
            assert scoring.weights.version == version
            assert same_bits(scoring.weights.snapshot(), before)
            assert "seconds_train" not in attrs
    assert {is_trained(trial) for trial in found.trials} == {True, False}
    trials = by_seat(found)
    widowed = {
        seat for seat in trials if is_trained(trials[seat]) > is_trained(trials[seat.partner])
    }
    assert widowed
    assert_is_by_hand(scoring, found)


def test_a_feasible_one_is_fast_and_of_two_others_that_which_is_less_over() -> None:
    scoring, found = aiming(limits=limits(0.2)), study()
    found.optimize(scoring, n_trials=SEATS)
    population = RelativeNASSampler(population_size=SETTINGS.population).population(found)
    assert population is not None
    trials, kinds = by_seat(found), set()
    for generation in population.generations[: SETTINGS.generations]:
        for pair, is_first in enumerate(generation.first_fast.tolist()):
            two = [trials[Seat(generation.index, 2 * pair + i)] for i in (0, 1)]
            over = [max(0.0, trial.constraints["multiply_adds"]) for trial in two]
            keys = list(zip(over, [trial.value or 0.0 for trial in two], strict=True))
            assert is_first == (keys[0] <= keys[1])
            kinds.add(sum(value > 0 for value in over))
    assert kinds >= {1, 2}


SAMPLERS: dict[str, Any] = {
    "relative": sampler,
    "tpe": lambda: TPESampler(seed=1, n_startup_trials=3),
    "nsgaii": lambda: NSGAIISampler(seed=1, population_size=3),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_untrained_candidate_is_told_to_a_database(name: str, tmp_path: Path) -> None:
    url, scoring = f"sqlite:///{tmp_path / 's.db'}", aiming(limits=limits())
    with database(url) as storage:
        found = study(storage=storage, study_name="s", sampler=SAMPLERS[name]())
        found.optimize(scoring, n_trials=8)
    with database(url) as storage:
        known = optuna.load_study(storage=storage, study_name="s")
        assert {trial.value == math.inf for trial in known.trials} == {True, False}
        assert is_trained(known.best_trial)
        for trial in known.trials:
            assert trial.state == TrialState.COMPLETE
            assert trial.constraints == limits().violations(cost_of(scoring, trial))
            assert (trial.constraints["multiply_adds"] > 0) == (trial.value == math.inf)
        scoring.settle(known)
    pairs = {seat // 2 for seat, trial in enumerate(known.trials) if is_trained(trial)}
    trained = [trial for trial in known.trials if is_trained(trial)]
    assert scoring.weights.version == len(pairs if name == "relative" else trained)


def test_of_a_metric_that_is_maximised_the_worst_is_minus_infinity() -> None:
    scoring = aiming(limits=CostLimits(parameters=1), metric=accuracy)
    found = study(direction="maximize")
    found.optimize(scoring, n_trials=4)
    assert [trial.value for trial in found.trials] == [-math.inf] * 4
    for trial in found.trials:
        assert trial.constraints == {"parameters": trial.user_attrs["parameters"] - 1}
    assert scoring.weights.version == 0
    assert not scoring.waiting


# --- a second value


@pytest.mark.parametrize("name", ["relative", "nsgaii"])
@pytest.mark.parametrize("second", ["parameters", "multiply_adds"])
def test_a_cost_is_the_second_of_two_values(name: str, second: str) -> None:
    scoring = aiming(second=second, limits=limits())
    found = study(directions=["minimize"] * 2, sampler=SAMPLERS[name]())
    found.optimize(scoring, n_trials=8)
    for trial in found.trials:
        spent = cost_of(scoring, trial)
        assert trial.values[1] == trial.user_attrs[second] == getattr(spent, second)
        assert math.isinf(trial.values[0]) == (limits().refusal(spent) is not None)
    assert all(map(is_trained, found.best_trials))
    if name == "relative":
        assert_is_by_hand(scoring, found)


@pytest.mark.parametrize(
    ("options", "directions", "message"),
    [
        ({}, ["maximize"], "gives a loss, so .* one direction 'minimize'; 's' has maximize"),
        ({"second": "parameters"}, ["minimize"], "directions 'minimize', 'minimize'; 's' has"),
        ({"second": "parameters"}, ["minimize", "maximize"], "gives a loss and parameters"),
        ({"second": "parameters"}, ["maximize", "minimize"], "gives a loss and parameters"),
        ({"second": "parameters", "metric": accuracy}, ["maximize"] * 2, "directions 'minimize'"),
        ({"metric": accuracy}, ["maximize", "minimize"], "one direction"),
    ],
)
def test_a_study_of_other_directions_is_refused_and_the_architecture_not_blamed(
    options: dict[str, Any], directions: list[str], message: str
) -> None:
    scoring, found = aiming(**options), study(directions=directions, study_name="s")
    with pytest.raises(ValueError, match=message) as caught:
        found.optimize(scoring, n_trials=1)
    assert "\n" not in str(caught.value)
    assert found.trials[0].system_attrs[INTERRUPTED_KEY]
    assert scoring.weights.version == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"second": "flops"}, "second must be one of parameters, multiply_adds; got 'flops'"),
        ({"second": "parameters", "pruning": True}, "pruning must be off with second='parameters'"),
    ],
)
def test_goals_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        aiming(**options)
    assert "\n" not in str(caught.value)


# --- a loss and a metric of one's own

smoothed = partial(functional.cross_entropy, label_smoothing=0.3)


@pytest.mark.parametrize(("direction", "sign"), [("maximize", -1), ("minimize", 1)])
def test_the_fast_learner_of_the_weights_is_that_of_the_study(direction: str, sign: int) -> None:
    scoring, found = aiming(metric=accuracy), study(direction=direction)
    found.optimize(scoring, n_trials=8)
    assert [trial.value for trial in found.trials] == pytest.approx(
        [trial.user_attrs["accuracy"] for trial in found.trials]
    )
    assert_is_by_hand(scoring, found, sign=sign, metric=accuracy)
    other, _ = by_hand(scoring, found, sign=-sign, metric=accuracy)
    assert not same_bits(scoring.weights.snapshot(), other.snapshot())


def test_a_loss_of_ones_own_is_trained_by_and_scored_with() -> None:
    values, weights = [], []
    for loss in (functional.cross_entropy, smoothed):
        scoring, found = aiming(loss=loss), study()
        found.optimize(scoring, n_trials=2)
        values.append([trial.value for trial in found.trials])
        weights.append(scoring.weights.snapshot())
        assert_is_by_hand(scoring, found, loss=loss)
    assert values[0] != values[1]
    assert not same_bits(*weights)
