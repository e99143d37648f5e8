"""Preset "plain" re-evaluates its best member while its lead may be noise."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from relativenas_optuna.samplers.relative_nas.surrogate.settings import PLAIN
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    both_spaces,
    followed,
    loss_of,
    new_sampler,
    noisy_loss_of,
    population,
    scored,
    search,
    seated,
    state,
    suggest,
)

if TYPE_CHECKING:
    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration

NOISY = noisy_loss_of(SPACE)
Scores = dict[tuple[float, ...], list[float]]


def place(generation: PairedGeneration, member: int) -> tuple[float, ...]:
    return tuple(generation.positions[member].tolist())


def scores_of(study: optuna.Study, generations: list[PairedGeneration], last: int) -> Scores:
    """Return the scores of each position in the generations up to one."""
    found: Scores = defaultdict(list)
    for seat, (_, value) in sorted(scored(study).items(), key=lambda item: item[0].generation):
        if seat.generation <= last and value is not None:
            generation = generations[seat.generation]
            found[place(generation, generation.member(seat.number))].append(value)
    return found


def wanted(study: optuna.Study, generations: list[PairedGeneration], index: int, pair: int) -> bool:
    """Return True if, by the definition, the fast learner of a pair is re-evaluated."""
    before, generation = generations[index - 1], generations[index]
    known = scores_of(study, generations, index - 1)
    members = generation.pairs[pair].tolist()
    fast = members[0 if generation.first_fast[pair] else 1]
    own = known.copy()
    if not generation.kept[fast]:
        _, value = scored(study)[Seat(index, generation.seat(fast))]
        assert value is not None
        own[place(generation, fast)] = [*known[place(generation, fast)], value]
    mine = own[place(generation, fast)]
    others = {
        m: known[place(before, m)]
        for m in range(len(before.positions))
        if m not in members and place(before, m) != place(generation, fast)
    }
    if index < 7 or len(mine) >= 10:
        return False
    better = [(np.mean(other), m) < (np.mean(mine), fast) for m, other in others.items()]
    if any(first and len(other) < 10 for first, other in zip(better, others.values(), strict=True)):
        return False
    several = [values for values in own.values() if len(values) > 1]
    if not several:
        # There is no second re-evaluation until the result of the first is known.
        means = {m: np.mean(known[place(before, m)]) for m in range(len(before.positions))}
        return index % 2 == 1 and min(means, key=lambda m: (means[m], m)) in members
    freedom = sum(len(values) - 1 for values in several)
    noise = np.sqrt(sum(np.var(values) * len(values) for values in several) / freedom)
    return any(
        np.mean(other) - np.mean(mine)
        < t.ppf(0.975, freedom) * noise * np.sqrt(1 / len(mine) + 1 / len(other))
        for other in others.values()
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_best_member_is_reevaluated_while_its_lead_is_in_doubt(seed: int) -> None:
    study = search(
        space=SPACE, trials=90, population_size=6, seed=seed, preset="plain", objective=NOISY
    )
    generations = population(study, 6).generations
    expected = {
        (index, pair): wanted(study, generations, index, pair)
        for index in range(1, len(generations) - 1)
        for pair in np.flatnonzero(generations[index].learned).tolist()
    }
    found = {}
    for index, pair in expected:
        generation, following = generations[index], generations[index + 1]
        fast, _ = generation.learners(pair)
        found[index, pair] = bool(following.reevaluated[fast])
        assert following.reevaluated[fast] != following.kept[fast]
    assert found == expected
    assert 5 < sum(found.values()) < 30


@both_spaces
def test_a_reevaluated_member_keeps_position_and_velocity(space: Space | None) -> None:
    study = search(space=space, trials=90, population_size=6, preset="plain", objective=NOISY)
    generations = population(study, 6).generations
    stayed = 0
    for generation, following in pairwise(generations[:-1]):
        for member in np.flatnonzero(following.reevaluated).tolist():
            stayed += 1
            assert place(following, member) == place(generation, member)
            velocities = [g.velocities[member].tolist() for g in (generation, following)]
            assert velocities[0] == velocities[1]
    assert stayed > 3


@given(seed=st.integers(0, 999))
@settings(max_examples=6)
def test_no_architecture_has_more_than_max_scores(seed: int) -> None:
    study = search(
        space=SPACE,
        trials=70,
        seed=seed,
        preset="plain",
        screening=replace(PLAIN, draws=4, max_scores=3),
        objective=NOISY,
    )
    assert max(Counter(repr(trial.params) for trial in study.trials).values()) <= 3


@both_spaces
@pytest.mark.parametrize("seed", range(2))
def test_without_noise_only_one_architecture_is_reevaluated(space: Space | None, seed: int) -> None:
    study = search(space=space, trials=150, population_size=6, seed=seed, preset="plain")
    again = [g.reevaluated.sum() for g in population(study, 6).generations]
    assert (sum(again[:8]), sum(again)) == (0, 1)


@pytest.mark.parametrize("seed", range(2))
def test_a_failed_reevaluation_does_not_count(seed: int) -> None:
    study = search(
        space=SPACE, trials=80, population_size=6, seed=seed, preset="plain", objective=NOISY
    )
    bad = next(
        Seat(g.index, g.seat(member))
        for g in population(study, 6).generations
        for member in np.flatnonzero(g.reevaluated).tolist()
    )

    def failing(trial: optuna.Trial) -> float:
        value = NOISY(trial)
        if seat_of(trial) == bad:
            raise RuntimeError
        return value

    study = search(
        space=SPACE, trials=80, population_size=6, seed=seed, preset="plain", objective=failing
    )
    assert sum(seat == bad for seat, _ in seated(study)) == 3
    assert bits(followed(study)) == state(study)
    generations = population(study, 6).generations
    generation, member = generations[bad.generation], generations[bad.generation].member(bad.number)
    known = scores_of(study, generations, bad.generation)
    fast, slow = generation.learners(bad.number // 2)
    means = {m: float(np.mean(known[place(generation, m)])) for m in (fast, slow)}
    assert len(known[place(generation, member)]) == 1
    assert means[fast] <= means[slow]
    assert not generations[bad.generation + 1].reevaluated[member]


@pytest.mark.parametrize("how", ["pruned", "infinite", "failed"])
def test_failing_reevaluations_are_given_up(how: str) -> None:
    seen: set[str] = set()
    failed_reevaluations = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal failed_reevaluations
        value = loss_of(SPACE)(trial)
        there = repr(trial.params) in seen
        seen.add(repr(trial.params))
        failed_reevaluations += there
        if there and how == "failed":
            raise RuntimeError
        if there and how == "pruned":
            raise optuna.TrialPruned
        return np.inf if there else value

    search(space=SPACE, trials=150, population_size=8, preset="plain", objective=objective)
    assert 1 <= failed_reevaluations <= 2 * (3 if how == "failed" else 1)


def test_only_one_of_many_equal_members_is_reevaluated() -> None:
    study = search(space=SPACE, trials=200, population_size=20, preset="plain", objective=constant)
    assert sum(int(g.reevaluated.sum()) for g in population(study, 20).generations) == 1


def constant(trial: optuna.Trial) -> float:
    """Return a loss of 1 for any parameters."""
    suggest(trial, SPACE)
    return 1.0


@pytest.mark.parametrize("seed", range(2))
def test_late_processes_agree_after_early_failures(seed: int) -> None:
    """The fifth fit after the first 64 generations is the first with a score to fit to."""

    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        assert seat is not None
        value = NOISY(trial)
        return value if seat.generation >= 64 else np.inf

    live = search(
        space=SPACE, trials=90, population_size=2, seed=seed, preset="plain", objective=objective
    )
    late = optuna.create_study()
    for trial in live.trials[:66]:
        late.add_trial(trial)
    for _ in range(24):
        late.sampler = new_sampler(SPACE, 2, "plain", seed=seed)
        late.optimize(objective, n_trials=1)
    assert seated(late) == seated(live)
