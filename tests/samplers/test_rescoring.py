"""Preset "plain" has its best member scored again while it may owe its place to luck."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from relativenas_optuna.samplers.claims import Seat
from relativenas_optuna.samplers.screening import PLAIN
from tests.samplers.searches import (
    SPACE,
    Space,
    anew,
    both_spaces,
    noisy_loss_of,
    population,
    scored,
    search,
    seated,
    state,
)

if TYPE_CHECKING:
    from relativenas_optuna.samplers.generations import Generation

NOISY = noisy_loss_of(SPACE)
Scores = dict[tuple[float, ...], list[float]]


def place(generation: Generation, member: int) -> tuple[float, ...]:
    return tuple(generation.positions[member].tolist())


def scores_of(study: optuna.Study, generations: list[Generation], last: int) -> Scores:
    """By position, what the generations up to one scored."""
    found: Scores = defaultdict(list)
    for seat, (_, value) in sorted(scored(study).items(), key=lambda item: item[0].generation):
        if seat.generation <= last and value is not None:
            generation = generations[seat.generation]
            found[place(generation, generation.member(seat.number))].append(value)
    return found


def wanted(study: optuna.Study, generations: list[Generation], index: int, pair: int) -> bool:
    """Whether the rule has the fast learner of a pair scored again, by its definition."""
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
    others = [known[place(before, m)] for m in range(len(before.positions)) if m not in members]
    if index < 7 or len(mine) >= 10:
        return False
    if any(np.mean(other) < np.mean(mine) and len(other) < 10 for other in others):
        return False
    several = [values for values in own.values() if len(values) > 1]
    if not several:
        return True
    freedom = sum(len(values) - 1 for values in several)
    noise = np.sqrt(sum(np.var(values) * len(values) for values in several) / freedom)
    return any(
        np.mean(other) - np.mean(mine)
        < t.ppf(0.975, freedom) * noise * np.sqrt(1 / len(mine) + 1 / len(other))
        for other in others
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_best_member_is_scored_again_where_its_place_is_in_doubt(seed: int) -> None:
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
        fast = generation.pairs[pair][0 if generation.first_fast[pair] else 1]
        found[index, pair] = bool(following.again[fast])
        assert following.again[fast] != following.kept[fast]
    assert found == expected
    assert 5 < sum(found.values()) < 30


@both_spaces
def test_what_is_scored_again_stays_where_it_is_and_goes_on_as_it_was(space: Space | None) -> None:
    study = search(space=space, trials=90, population_size=6, preset="plain", objective=NOISY)
    generations = population(study, 6).generations
    stayed = 0
    for generation, following in pairwise(generations[:-1]):
        for member in np.flatnonzero(following.again).tolist():
            stayed += 1
            assert place(following, member) == place(generation, member)
            velocities = [g.velocities[member].tolist() for g in (generation, following)]
            assert velocities[0] == velocities[1]
    assert stayed > 3


@given(seed=st.integers(0, 999))
def test_no_architecture_has_more_scores_than_are_allowed(seed: int) -> None:
    study = search(
        space=SPACE,
        trials=70,
        seed=seed,
        preset="plain",
        screening=replace(PLAIN, draws=4, scores=3),
        objective=NOISY,
    )
    assert max(Counter(repr(trial.params) for trial in study.trials).values()) <= 3


@both_spaces
@pytest.mark.parametrize("seed", range(3))
def test_scores_without_noise_are_told_again_until_that_is_seen(
    space: Space | None, seed: int
) -> None:
    study = search(space=space, trials=150, population_size=6, seed=seed, preset="plain")
    again = [g.index for g in population(study, 6).generations if g.again.any()]
    assert again[0] >= 8
    assert again[-1] <= again[0] + 1


def test_a_failure_of_what_is_scored_again_does_not_count() -> None:
    study = search(space=SPACE, trials=60, population_size=6, preset="plain", objective=NOISY)
    seats = [
        Seat(g.index, g.seat(member))
        for g in population(study, 6).generations
        for member in np.flatnonzero(g.again).tolist()
    ]
    bad = seats[0]

    def failing(trial: optuna.Trial) -> float:
        value = NOISY(trial)
        if seated(study)[-1][0] == bad:
            raise RuntimeError
        return value

    study = optuna.create_study(sampler=anew(SPACE, 6, "plain"))
    study.optimize(failing, n_trials=70, catch=(RuntimeError,))
    generations = population(study, 6).generations
    member = generations[bad.generation].member(bad.number)
    pair = bad.number // 2
    generation = generations[bad.generation]
    assert sum(seat == bad for seat, _ in seated(study)) == 3
    values = {seat: value for seat, (_, value) in scored(study).items() if value is not None}
    other = Seat(bad.generation, bad.number ^ 1)
    own = [
        value
        for seat, value in values.items()
        if seat.generation < bad.generation
        and place(generations[seat.generation], generations[seat.generation].member(seat.number))
        == place(generation, member)
    ]
    assert len(own) == 1
    if other in values:
        fast = generation.pairs[pair][0 if generation.first_fast[pair] else 1]
        assert (fast == member) == (own[0] <= values[other])
    assert state(study, 6) == state(study, 6)
