"""Searches with several objectives and constraints, against a second implementation."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution

from relativenas_optuna.samplers.relative_nas.surrogate.settings import OFF
from tests.helpers.samplers import pareto_reference as pareto
from tests.helpers.samplers import relative_nas_reference as reference
from tests.helpers.samplers import strategies
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    both_spaces,
    new_sampler,
    population,
    suggest,
    trials_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Score = Callable[[dict[str, Any]], reference.Member]


def scoring(space: Space, objectives: int, grain: float, bound: float | None) -> Score:
    """Return rugged objectives in steps of `grain`, and a constraint."""

    def of(params: Mapping[str, Any], shift: int) -> float:
        whole = math.fsum(
            math.cos(shift + (1 + shift) * float(d.to_internal_repr(params[name])))
            for name, d in space.items()
        )
        return round(whole / grain) * grain

    def score(params: dict[str, Any]) -> reference.Member:
        excess = 0.0 if bound is None else max(of(params, 9) - bound, 0.0)
        values = tuple(of(params, shift) for shift in range(objectives))
        return reference.Member(params, values, excess)

    return score


def objective_of(space: Space, score: Score) -> Callable[[optuna.Trial], tuple[float, ...]]:
    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        member = score(suggest(trial, space))
        trial.set_constraint("bound", member.violation or -1.0)
        return member.values

    return objective


@given(
    space=strategies.spaces(max_size=3),
    size=st.sampled_from([4, 6]),
    seed=st.integers(0, 999),
    maximize=st.lists(st.booleans(), min_size=1, max_size=3),
    grain=st.sampled_from([1e-9, 0.5]),
    bound=st.sampled_from([None, -0.5, 0.5]),
    keeps=st.booleans(),
)
@settings(max_examples=40)
def test_a_search_is_the_independent_algorithm_to_the_last_bit(
    *,
    space: Space,
    size: int,
    seed: int,
    maximize: list[bool],
    grain: float,
    bound: float | None,
    keeps: bool,
) -> None:
    generations = 7
    score = scoring(space, len(maximize), grain, bound)
    preset = "plain" if keeps else "paper"
    sampler = new_sampler(space, size, preset, seed=seed, screening=OFF)
    study = optuna.create_study(
        sampler=sampler, directions=["maximize" if m else "minimize" for m in maximize]
    )
    trials = trials_of(size, generations) if keeps else size * generations
    study.optimize(objective_of(space, score), n_trials=trials)
    found = population(study, size)

    def real(generation: int, member: int) -> NDArray[Any]:
        position: NDArray[Any] = found.generations[generation].positions[member]
        return position

    expected = reference.synchronous(
        space,
        score,
        lambda first, second, before: pareto.first_is_fast(first, second, before, maximize),
        population_size=size,
        generations=generations,
        seed=seed,
        real=real,
        keeps=keeps,
    )
    proposed = [trial.params for trial in study.trials]
    assert proposed == [params for generation in expected.scored for params in generation]
    for index, generation in enumerate(found.generations[: generations + 1]):
        assert generation.positions.tolist() == expected.positions[index].tolist()
        assert generation.velocities.tolist() == expected.velocities[index].tolist()


def complete(study: optuna.Study, generations: int) -> bool:
    known = new_sampler(None, 6).population(study)
    return known is not None and known.scored_seats(generations) == 6 * generations


@pytest.mark.slow_except("2")
@both_spaces
@pytest.mark.parametrize("preset", ["plain", "paper"])
@pytest.mark.parametrize("way", ["threads", "order", "generations"])
def test_the_populations_are_those_of_one_worker(
    way: str, preset: str, space: Space | None
) -> None:
    generations, dice = 6, Random(3)
    objective = objective_of(SPACE, scoring(SPACE, 2, 0.5, 0.5))
    sampler = new_sampler(space, 6, preset)
    study, undisturbed = (
        optuna.create_study(sampler=sampler, directions=["minimize", "maximize"]) for _ in range(2)
    )
    running: list[optuna.Trial] = []
    while not complete(study, generations):
        if way == "threads":
            study.optimize(objective, n_trials=8, n_jobs=8)
            continue
        study.sampler = sampler = new_sampler(space, 6, preset)
        if way == "generations":
            running += sampler.ask_generation(study)
            dice.shuffle(running)
        elif not running or dice.random() < 0.5:
            running.append(study.ask())
            continue
        for trial in [running.pop(dice.randrange(len(running)))] if way == "order" else running:
            study.tell(trial.number, objective(trial))
        if way == "generations":
            running.clear()
    while not complete(undisturbed, generations):
        undisturbed.optimize(objective, n_trials=1)
    found, expected = (bits(population(each, 6)) for each in (study, undisturbed))
    assert found[:generations] == expected[:generations]


def test_rare_feasible_trials_are_found() -> None:
    space: Space = {name: FloatDistribution(0, 1) for name in "abcd"}

    def objective(trial: optuna.Trial) -> float:
        params = suggest(trial, space)
        trial.set_constraint("sum", 3.0 - math.fsum(params.values()))  # one point in 24 is feasible
        return math.fsum(value**2 for value in params.values())

    study = optuna.create_study(sampler=new_sampler(space, 20, "plain"))
    study.optimize(objective, n_trials=300)
    feasible = [trial.constraints["sum"] <= 0 for trial in study.trials]
    assert sum(feasible[:20]) <= 3
    assert sum(feasible[20:120]) >= 40
    assert 2.25 <= study.best_value < 2.4  # the minimum has four equal parameters


def test_two_equal_objectives_search_like_one() -> None:
    space: Space = {name: CategoricalDistribution(list("abcdef")) for name in "xyz"}
    score = scoring(space, 1, 1e-9, None)
    studies = []
    ways: list[list[Literal["minimize", "maximize"]]]
    ways = [["minimize"], ["minimize", "minimize"], ["minimize", "maximize"]]
    for directions in ways:
        sampler = new_sampler(space, 6, "plain", screening=OFF)
        study = optuna.create_study(sampler=sampler, directions=directions)
        for _ in range(trials_of(6, 6)):
            trial = study.ask()
            (value,) = score(suggest(trial, space)).values
            values = [value if d == "minimize" else -value for d in directions]
            study.tell(trial, values)
        studies.append([trial.params for trial in study.trials])
    assert studies[0] == studies[1] == studies[2]
