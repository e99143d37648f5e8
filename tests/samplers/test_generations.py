"""Seats, doubles and the learned search space, in studies and in replays of their trials."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.draws import uniform
from relativenas_optuna.samplers.generations import Population
from tests.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    bits,
    loss,
    population,
    scored,
    search,
    seated,
    state,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.trial import FrozenTrial

both_spaces = pytest.mark.parametrize("space", [SPACE, None], ids=["known", "learned"])


def begin(space: Space | None, size: int = 4) -> optuna.Study:
    return optuna.create_study(sampler=RelativeNASSampler(space, population_size=size, seed=3))


def ask(study: optuna.Study) -> tuple[optuna.Trial, Seat]:
    """A trial with its parameters, left running."""
    trial = study.ask()
    suggest(trial, SPACE)
    seat = seat_of(trial)
    assert seat is not None
    return trial, seat


def tell(study: optuna.Study, trial: optuna.Trial) -> None:
    study.tell(trial, loss(trial.params, SPACE))


def step(study: optuna.Study) -> Seat:
    """One trial, asked and told."""
    trial, seat = ask(study)
    tell(study, trial)
    return seat


def seats_without(pairs: list[list[list[int]]], held: Seat) -> Iterator[Seat]:
    """The seats that can be scored while one of generation 0 never is, in their order."""
    missing = {pairs[0][held.pair][held.number % 2]}
    for index, generation in enumerate(pairs):
        for number, member in enumerate(m for pair in generation for m in pair):
            if member not in missing:
                yield Seat(index, number)
        # What learns from a member that is not known, or would teach it, stays unknown too.
        missing = {member for pair in generation if missing & {*pair} for member in pair}


@pytest.mark.parametrize("number", range(6))
def test_pairs_that_are_scored_go_on_and_the_populations_are_the_synchronous_ones(
    number: int,
) -> None:
    undisturbed = search(space=SPACE, trials=60, population_size=6)
    pairs = [generation.pairs.tolist() for generation in population(undisturbed, 6).generations]
    study = begin(SPACE, size=6)
    early = [ask(study) for _ in range(number + 1)]
    held, seat = early.pop()
    for trial, _ in early:
        tell(study, trial)
    possible = list(seats_without(pairs, seat))
    assert len(possible) > 5
    assert [s for _, s in early] + [step(study) for _ in possible[number:]] == possible
    # Nothing else is ready: the seat is given out a second time, with the same parameters.
    second, again = ask(study)
    assert again == seat
    assert second.params == held.params
    tell(study, second)
    while len(scored(study)) < 60:
        step(study)
    tell(study, held)  # too late
    assert scored(study) == scored(undisturbed)
    assert state(study, 6)[:10] == state(undisturbed, 6)[:10]
    assert len(study.trials) == 61


@both_spaces
def test_when_nothing_is_ready_the_longest_running_seat_goes_out_again(
    space: Space | None,
) -> None:
    study = begin(space, size=2)
    first, second = ask(study), ask(study)
    assert [first[1], second[1]] == [Seat(0, 0), Seat(0, 1)]
    again = [ask(study) for _ in range(4)]
    assert [seat.number for _, seat in again] == [0, 1, 0, 1]
    assert again[0][0].params == first[0].params
    tell(study, again[2][0])
    assert ask(study)[1] == Seat(0, 1)  # seat 0 needs no one else
    tell(study, second[0])
    assert ask(study)[1] == Seat(1, 0)


def test_a_learned_space_waits_for_the_whole_generation() -> None:
    study = begin(None)
    (held, seat), *_ = ask(study), step(study), step(study), step(study)
    assert [ask(study)[1] for _ in range(2)] == [seat, seat]
    tell(study, held)
    assert ask(study)[1] == Seat(1, 0)


@both_spaces
def test_a_trial_that_this_process_gave_up_delays_its_seat_only(space: Space | None) -> None:
    study = begin(space)
    abandoned, _ = ask(study)
    while len(scored(study)) < 16:
        step(study)
    assert abandoned.params == scored(study)[Seat(0, 0)][0]
    undisturbed = search(space=space, trials=16)
    assert {s: scored(study)[s] for s in scored(undisturbed) if s in scored(study)} == {
        s: v for s, v in scored(undisturbed).items() if s in scored(study)
    }


def test_asking_alone_starts_a_whole_generation() -> None:
    study = begin(SPACE)
    trials = [ask(study) for _ in range(4)]
    assert [seat for _, seat in trials] == [Seat(0, number) for number in range(4)]
    for trial, _ in reversed(trials):
        tell(study, trial)
    study.optimize(OBJECTIVE, n_trials=4)
    assert state(study) == state(search(space=SPACE, trials=8))


# --- failed and pruned trials


def failing(numbers: set[int]) -> Any:
    def objective(trial: optuna.Trial) -> float:
        if trial.number in numbers:
            raise RuntimeError
        return OBJECTIVE(trial)

    return objective


@both_spaces
def test_a_seat_that_failed_three_times_is_the_slow_learner(space: Space | None) -> None:
    study = search(space=space, trials=15, objective=failing({0, 1, 2, 5, 6}))
    seats = [(s.generation, s.number) for s, _ in seated(study) if s is not None]
    assert seats[:9] == [(0, 0)] * 3 + [(0, 1), (0, 2)] + [(0, 3)] * 3 + [(1, 0)]
    generation = population(study).generations[0]
    assert not generation.first_fast[0]
    assert not population(study).is_scored(Seat(3, 0))


def test_pruned_trials_score_their_seats() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        trial.report(value, step=0)
        if trial.number % 2 == 0 or trial.number in (1, 5):
            raise optuna.TrialPruned
        return value

    study = search(space=SPACE, trials=12, objective=objective)
    assert [seat_of(t) for t in study.trials] == [Seat(k // 4, k % 4) for k in range(12)]
    for generation in population(study).generations[:3]:
        for pair in range(2):
            first, second = (study.trials[4 * generation.index + 2 * pair + i] for i in (0, 1))
            if second.state == TrialState.COMPLETE:
                assert not generation.first_fast[pair]
            else:  # the value of a pruned trial is its last report
                assert first.value is not None
                assert second.value is not None
                assert generation.first_fast[pair] == (first.value <= second.value)


# --- doubles


def scrambled(space: Space | None, seed: int, trials: int) -> optuna.Study:
    """A study whose trials overlap, double, fail and are pruned, with values from a dice."""
    random = Random(seed)
    study = begin(space)
    follower = RelativeNASSampler(population_size=4)
    running: list[optuna.Trial] = []
    while len(study.trials) < trials or running:
        if len(study.trials) < trials and random.random() < 0.6:
            running.append(ask(study)[0])
        elif running:
            trial = running.pop(random.randrange(len(running)))
            kind = random.random()
            if kind < 0.2:
                study.tell(trial, state=TrialState.FAIL)
            elif kind < 0.4:
                trial.report(random.random(), step=random.randrange(3))
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, random.randrange(4))
        if random.random() < 0.3:
            follower.population(study)
    # Whoever followed it, and whoever reads it at once, see the same.
    study.sampler = follower
    return study


def followed(study: optuna.Study) -> Population:
    assert isinstance(study.sampler, RelativeNASSampler)
    found = study.sampler.population(study)
    assert found is not None
    return found


@both_spaces
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_every_order_of_reading_the_trials_gives_one_population(
    space: Space | None, seed: int, order: Random
) -> None:
    study = scrambled(space, seed, trials=30)
    expected = state(study)
    assert bits(followed(study)) == expected
    entries: list[tuple[FrozenTrial, Claim]] = []
    for trial in study.trials:
        claim = Claim.read(trial.system_attrs)
        assert claim is not None
        entries.append((trial, claim))
    order.shuffle(entries)
    replayed = Population(followed(study).settings, maximize=False)
    for trial, claim in entries:
        replayed.add(trial, claim)
        if order.random() < 0.5:
            replayed.advance()
    replayed.advance()
    assert bits(replayed) == expected


# --- the learned search space


def test_the_first_generation_of_a_learned_space_is_drawn_per_seat_and_name() -> None:
    study = search(space={"x": SPACE["x"]}, trials=1)  # any: draws depend on the seed alone
    study = search(space=None, trials=4)
    for number, trial in enumerate(study.trials):
        assert trial.params["x"] == -1 + 2 * uniform(3, 0, number, "x")


def test_the_learned_space_is_common_to_all_complete_trials_so_far() -> None:
    late = {"x": SPACE["x"], "op": SPACE["op"]}

    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        assert seat is not None
        space = SPACE if seat < Seat(1, 3) else late
        if seat == Seat(0, 1):
            suggest(trial, {"x": SPACE["x"]})
            raise optuna.TrialPruned  # asks for little, but is not complete
        return loss(suggest(trial, space), space)

    study = search(space=None, trials=20, objective=objective)
    found = population(study).generations
    spaces = [list(g.encoding.space) for g in found if g.encoding is not None]
    # A generation that is complete has taken the space that it showed; it goes on with it.
    assert spaces == [sorted(SPACE), *[["op", "x"]] * (len(found) - 1)]
    for generation in found[:5]:
        assert generation.encoding is not None
        for number in range(4):
            trial = found_trial(study, Seat(generation.index, number))
            decoded = generation.encoding.decode(generation.positions[generation.member(number)])
            shown = {name: decoded[name] for name in ("x", "op") if name in trial.params}
            assert shown == {name: trial.params[name] for name in shown}


def found_trial(study: optuna.Study, seat: Seat) -> FrozenTrial:
    trial = population(study).counted(seat)
    assert trial is not None
    return trial


def test_a_parameter_whose_range_changes_is_no_longer_learned() -> None:
    def objective(trial: optuna.Trial) -> float:
        wide = 1.0 if trial.number < 6 else 2.0
        return trial.suggest_float("x", -wide, wide) + trial.suggest_float("y", 0, 1)

    study = search(space=None, trials=12, objective=objective)
    encodings = [g.encoding for g in population(study).generations]
    assert [sorted(e.space) for e in encodings if e is not None] == [
        ["x", "y"],
        ["y"],
        ["y"],
        ["y"],
    ]
    assert all(-2 <= t.params["x"] <= 2 for t in study.trials)


def test_without_a_complete_trial_a_generation_is_drawn_like_the_first() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        if trial.number < 8:
            raise optuna.TrialPruned
        return value

    study = search(space=None, trials=16, objective=objective)
    found = population(study).generations
    assert [g.encoding is None for g in found] == [True, True, False, False, False]
    for number in range(12):
        x = uniform(3, number // 4, number % 4, "x")
        assert study.trials[number].params["x"] == -1 + 2 * x


def test_names_of_a_known_space_keep_their_order_and_those_of_a_learned_one_are_sorted() -> None:
    space: Space = {
        "z": FloatDistribution(0, 1),
        "a": CategoricalDistribution("ab"),
        "m": FloatDistribution(0, 1),
    }

    def objective(trial: optuna.Trial) -> float:
        return loss(suggest(trial, space), space)

    for given_space, names in ((space, ["z", "a", "m"]), (None, ["a", "m", "z"])):
        study = search(space=given_space, trials=5, objective=objective)
        encoding = population(study).generations[0].encoding
        assert encoding is not None
        assert list(encoding.space) == names
