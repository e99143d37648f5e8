"""The view of a study, against its trials."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from relativenas_optuna import SearchView
from relativenas_optuna.samplers.relative_nas.slow_fast import diversity
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.samplers.seats.seat_score import MAX_FAILURES
from relativenas_optuna.samplers.view_records import MemberView
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    ask,
    loss_of,
    new_sampler,
    population,
    search,
    study_and_sampler,
    suggest,
    tell,
)

COMPLETE, PRUNED, FAIL, RUNNING = (
    TrialState.COMPLETE,
    TrialState.PRUNED,
    TrialState.FAIL,
    TrialState.RUNNING,
)


def view_of(study: optuna.Study) -> SearchView:
    view = SearchView.of(study)
    assert view is not None
    return view


def members(view: SearchView) -> dict[Seat, MemberView]:
    return {Seat(g.index, m.seat): m for g in view.generations for m in g.members}


def scrambled(space: Space | None, preset: str, seed: int, trials: int) -> optuna.Study:
    """Run trials that overlap, repeat a seat, fail, are pruned, and finish in any order."""
    dice = Random(seed)
    study = optuna.create_study(sampler=new_sampler(space, 4, preset))
    running: list[optuna.Trial] = []
    for _ in range(trials):
        if not running or dice.random() < 0.55:
            running.append(study.ask())
            suggest(running[-1], SPACE)
            continue
        trial = running.pop(dice.randrange(len(running)))
        kind = dice.random()
        if kind < 0.3:
            study.tell(trial, state=FAIL)
        elif kind < 0.45:
            trial.report(dice.random(), step=0)
            study.tell(trial, state=PRUNED)
        else:
            study.tell(trial, dice.randrange(4))
    return study


@given(
    space=st.sampled_from([SPACE, None]),
    preset=st.sampled_from(["plain", "paper"]),
    seed=st.integers(0, 9999),
    trials=st.integers(1, 60),
)
@settings(max_examples=25)
def test_the_view_agrees_with_the_trials(
    space: Space | None, preset: str, seed: int, trials: int
) -> None:
    study = scrambled(space, preset, seed, trials)
    view, found = view_of(study), population(study)
    at: dict[Seat | None, list[optuna.trial.FrozenTrial]] = {}
    for trial in study.trials:
        at.setdefault(seat_of(trial), []).append(trial)
    for seat, member in members(view).items():
        there = at.get(seat, [])
        ended = [t for t in there if t.state in (COMPLETE, PRUNED)]
        assert member.trials == tuple(trial.number for trial in there)
        assert [run.number for run in member.running] == [
            trial.number for trial in there if trial.state == RUNNING
        ]
        assert member.complete == sum(trial.state == COMPLETE for trial in there)
        if member.kept:
            continue
        counted = min(ended, key=lambda t: (t.datetime_complete, t.number), default=None)
        assert member.counted == (counted and counted.number)
        assert member.values == (
            (counted and counted.value is not None and (counted.value,)) or None
        )
        failed = sum(trial.state == FAIL for trial in there) >= MAX_FAILURES
        waits = "running" if member.running else "waiting"
        assert member.state == ("scored" if counted else "failed" if failed else waits)
    assert view.extras == tuple(trial.number for trial in at.get(None, []))
    assert len(view.generations) == len(found.generations)
    for seen, known in zip(view.generations, found.generations, strict=True):
        assert np.array_equal(seen.positions, known.positions, equal_nan=True)
        assert np.array_equal(seen.velocities, known.velocities)
        assert [member.number for member in seen.members] == [0, 1, 2, 3]
        assert [list(pair.members) for pair in seen.pairs] == known.pairs.tolist()
        assert [member.kept for member in seen.members] == known.kept.tolist()
        assert [member.seat for member in seen.members] == [known.seat(m) for m in range(4)]
        states = {member.state for member in seen.members}
        assert seen.complete == (states <= {"scored", "failed"})
    # Data for JSON, the same at every call.
    text = json.dumps(view.to_dict(), allow_nan=False)
    assert text == json.dumps(view_of(study).to_dict(), allow_nan=False)


def test_a_study_without_trials_of_the_sampler_has_no_view() -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    assert SearchView.of(study) is None
    study.optimize(OBJECTIVE, n_trials=3)
    assert SearchView.of(study) is None


@pytest.mark.parametrize("preset", ["plain", "paper"])
def test_the_view_has_settings_and_counts(preset: str) -> None:
    study = search(space=SPACE, trials=22, preset=preset, direction="maximize")
    ask(study)
    view = view_of(study)
    assert (view.study, view.directions) == (study.study_name, ("maximize",))
    assert (view.population_size, view.seed, view.preset) == (4, 3, preset)
    assert view.search_space is not None
    assert dict(view.search_space) == SPACE
    assert view.warm_start is None
    assert (view.scored, view.running, view.failed, view.doubles) == (22, 1, 0, 0)
    generation = view.generations[1]
    assert generation.variables == tuple(SPACE)
    assert generation.diversity == diversity(generation.positions)
    for member in generation.members:
        assert member.counted is not None
        trial = study.trials[member.counted]
        assert member.values == (trial.value,)
        params = generation.params[member.number]
        assert params is not None
        assert dict(params) == trial.params
        assert member.kept == (trial.number < 4)
    best = max(generation.members, key=lambda m: m.values or ())
    assert generation.best == best.number
    for pair in generation.pairs:
        assert {pair.fast, pair.slow} == {*pair.members}
        fast, slow = (generation.members[m or 0].values for m in (pair.fast, pair.slow))
        assert fast is not None
        assert slow is not None
        assert pair.margin == fast[0] - slow[0] >= 0


def test_unknown_values_are_none() -> None:
    first, second = view_of(search(space=SPACE, trials=2)).generations
    assert [pair.fast is None for pair in first.pairs] == [False, True]
    assert first.diversity is not None
    assert second.diversity is None
    assert sorted(params is None for params in second.params) == [False, False, True, True]
    assert second.best is None
    learned = search(space=None, trials=2)
    (only,) = view_of(learned).generations
    assert (only.variables, only.positions.shape, only.diversity) == ((), (4, 0), None)


def test_repeats_are_architectures_scored_before() -> None:
    space: Space = {name: CategoricalDistribution(list("abc")) for name in "xy"}
    for preset in ("plain", "paper"):
        study = search(space=space, trials=40, preset=preset, objective=loss_of(space))
        architectures = [tuple(sorted(trial.params.items())) for trial in study.trials]
        view = view_of(study)
        assert view.repeats == len(architectures) - len(set(architectures)) > 0
        first = {key: architectures.index(key) for key in architectures}
        for member in members(view).values():
            if not member.kept and member.counted is not None:
                assert member.repeat == (first[architectures[member.counted]] != member.counted)


def test_doubles_and_failed_seats_are_counted() -> None:
    study, _ = study_and_sampler()
    trials = [ask(study)[0] for _ in range(5)]  # the fifth gets the seat of the first again
    for trial in trials[:3] + trials[4:]:
        tell(study, trial)
    for _ in range(MAX_FAILURES):
        study.tell(trials[3], state=FAIL)
        trials[3] = ask(study)[0]
    view = view_of(study)
    assert (view.doubles, view.failed, view.scored, view.running) == (1, 1, 3, 1)
    first = view.generations[0]
    assert first.members[first.pairs[0].members[0]].trials == (0, 4)
    assert first.pairs[1].margin is None


def test_the_best_of_several_objectives_is_not_dominated() -> None:
    values = [(1.0, 9.0), (5.0, 5.0), (4.0, 4.0), (0.0, 0.0)]
    study = optuna.create_study(sampler=new_sampler(SPACE), directions=["minimize", "minimize"])
    for point in values:
        trial = ask(study)[0]
        trial.set_constraint("last", float(point == values[3]))
        study.tell(trial, point)
    view = view_of(study)
    generation = view.generations[0]
    by_seat = sorted(generation.members, key=lambda member: member.seat)
    assert [member.values for member in by_seat] == values
    assert [member.violation for member in by_seat] == [0.0, 0.0, 0.0, 1.0]
    assert generation.best == by_seat[0].number  # the earlier of two that nothing dominates
    assert generation.pairs[1].fast == by_seat[2].number
    assert all(pair.margin is None for pair in generation.pairs)


def test_a_view_and_a_generation_are_shown_as_one_line() -> None:
    view = view_of(search(space=SPACE, trials=2))
    name = view.study
    assert repr(view) == (
        f"<SearchView of study {name!r}: RelativeNASSampler, 2 generations of 4 members, "
        "2 scored, 0 running, 0 failed>"
    )
    assert repr(view.generations[0]) == "<GenerationView 0: 2 of 4 members scored>"
