"""Regularized evolution: its rule, restarts, limits and users' mistakes."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers import RegularizedEvolutionSampler

SPACE: dict[str, BaseDistribution] = {
    "op": CategoricalDistribution(("a", "b", "c")),
    "width": IntDistribution(1, 64, log=True),
    "rate": FloatDistribution(0.0, 1.0),
    "step": FloatDistribution(0.0, 1.0, step=0.25),
    "fixed": IntDistribution(3, 3),
}


def objective(trial: optuna.Trial) -> float:
    params = {name: trial._suggest(name, d) for name, d in SPACE.items()}
    wrong = params["op"] != "b"
    return float(wrong + abs(params["width"] - 20) / 20 + (params["rate"] - 0.3) ** 2)


def searched(*stops: int, **arguments: Any) -> optuna.Study:
    """Return a study that a new sampler continues after each stop."""
    study = optuna.create_study()
    for stop in stops:
        study.sampler = RegularizedEvolutionSampler(SPACE, seed=5, **arguments)
        study.optimize(objective, n_trials=stop - len(study.trials))
    return study


def test_a_child_differs_in_one_parameter_from_the_best_of_the_latest_trials() -> None:
    study = searched(60, population_size=5, tournament_size=5)
    for number in range(5, 60):
        parent = min(study.trials[number - 5 : number], key=lambda trial: trial.value or 0.0)
        child = study.trials[number].params
        changed = [name for name in SPACE if child[name] != parent.params[name]]
        assert len(changed) == 1


def test_a_member_may_lose_a_tournament_of_one() -> None:
    study = searched(40, population_size=4, tournament_size=1)
    parents = []
    for number in range(4, 40):
        members = study.trials[number - 4 : number]
        child = study.trials[number].params
        near = [
            sum(child[name] != member.params[name] for name in SPACE) == 1 for member in members
        ]
        assert any(near)
        parents.append(members[near.index(True)] is min(members, key=lambda m: m.value or 0.0))
    assert not all(parents)


def test_a_search_is_the_same_after_restarts() -> None:
    whole, restarted = searched(40), searched(3, 17, 40)
    assert [t.params for t in whole.trials] == [t.params for t in restarted.trials]


def test_a_maximum_is_found_in_a_study_that_maximizes() -> None:
    study = optuna.create_study(
        direction="maximize", sampler=RegularizedEvolutionSampler(SPACE, seed=0)
    )
    study.optimize(lambda trial: -objective(trial), n_trials=100)
    assert study.best_value > -0.2


def test_infeasible_trials_lose() -> None:
    study = optuna.create_study(sampler=RegularizedEvolutionSampler(SPACE, seed=0))

    def constrained(trial: optuna.Trial) -> float:
        loss = objective(trial)
        trial.set_constraint("no b", float(trial.params["op"] == "b"))
        return loss

    study.optimize(constrained, n_trials=60)
    assert sum(trial.params["op"] == "b" for trial in study.trials[-30:]) < 10


def cost(params: Any) -> float:
    return float(params["width"] * (1 + params["rate"]))


@pytest.mark.parametrize("seed", range(3))
def test_no_proposal_is_above_a_limit(seed: int) -> None:
    sampler = RegularizedEvolutionSampler(
        SPACE,
        population_size=4,
        tournament_size=2,
        seed=seed,
        limits={"cost": 9.0},
        costs={"cost": cost},
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=25)
    assert max(cost(trial.params) for trial in study.trials) <= 9
    assert len({trial.params["width"] for trial in study.trials}) > 1
    assert all(trial.constraints["limit on cost"] <= 0 for trial in study.trials)


def test_a_key_takes_the_place_of_seed_and_number() -> None:
    sampler = RegularizedEvolutionSampler(SPACE, seed=0)
    first = [
        optuna.create_study(sampler=sampler.with_key(key)).ask(SPACE).params for key in (1, 1, 2)
    ]
    assert first[0] == first[1] != first[2]


def test_a_parameter_outside_the_space_is_drawn_by_the_key() -> None:
    drawn = [
        optuna.create_study(sampler=RegularizedEvolutionSampler({}, seed=seed))
        .ask()
        .suggest_float("x", 0, 1)
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 0}, "population_size must be a whole number from 1"),
        (
            {"tournament_size": 0},
            "tournament_size must be a whole number from 1 to",
        ),
        ({"tournament_size": 11}, "which is 10; got 11"),
        (
            {"tournament_size": 2.5},
            "tournament_size must be a whole number from 1 to",
        ),
        ({"seed": -1}, "seed must be a whole number"),
        ({"limits": {"size": 3}}, "must limit a known cost"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(arguments: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        RegularizedEvolutionSampler(SPACE, **arguments)
    assert "\n" not in str(caught.value)
