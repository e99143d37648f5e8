"""A search space that is learned from the trials."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.samplers.seats.keyed_random import uniform
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    ask,
    bits,
    empty_study,
    followed,
    loss,
    new_sampler,
    noise_at,
    population,
    search,
    seated,
    state,
    step,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial


def test_a_learned_space_draws_generation_0_by_seat_and_name() -> None:
    study = search(space={"x": SPACE["x"]}, trials=1)  # draws depend on the seed alone
    study = search(space=None, trials=4)
    for number, trial in enumerate(study.trials):
        assert trial.params["x"] == -1 + 2 * uniform(3, 0, number, "x")


def test_a_learned_space_has_all_parameters_of_complete_trials() -> None:
    early: Space = {"x": SPACE["x"], "op": SPACE["op"]}

    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        assert seat is not None
        space = early if seat < Seat(1, 3) else SPACE
        if seat == Seat(0, 1):
            suggest(trial, {"even": SPACE["even"]})
            raise optuna.TrialPruned  # it suggests a parameter but is not complete
        return loss(suggest(trial, space), space)

    study = search(space=None, trials=20, objective=objective)
    found = population(study).generations
    spaces = [list(g.encoding.space) for g in found if g.encoding is not None]
    # A complete generation is extended to all of its parameters.
    assert spaces == [["op", "x"], *[sorted(SPACE)] * (len(found) - 1)]
    for generation in found[1:5]:
        assert generation.encoding is not None
        for number in range(4):
            trial = found_trial(study, Seat(generation.index, number))
            decoded = generation.encoding.decode(generation.positions[generation.member(number)])
            assert decoded.items() >= trial.params.items()


def test_a_parameter_not_suggested_has_its_drawn_value() -> None:
    def objective(trial: optuna.Trial) -> float:
        names = ["x", "rate"] if seat_of(trial) == Seat(0, 2) else ["x"]
        space = {name: SPACE[name] for name in names}
        return loss(suggest(trial, space), space)

    study = search(space=None, trials=8, objective=objective)
    first, second = population(study).generations[:2]
    assert first.encoding is not None
    assert list(first.encoding.space) == ["rate", "x"]
    low, high = math.log(1e-4), math.log(1)
    drawn = [low + uniform(3, 0, number, "rate") * (high - low) for number in range(4)]
    assert [first.positions[first.member(number), 0] for number in range(4)] == drawn
    for pair, first_is_fast in zip(first.pairs, first.first_fast, strict=True):
        fast = pair[0 if first_is_fast else 1]
        assert second.positions[fast].tolist() == first.positions[fast].tolist()


def found_trial(study: optuna.Study, seat: Seat) -> FrozenTrial:
    trial = population(study).counted(seat)
    assert trial is not None
    return trial


def test_a_parameter_whose_range_changes_is_not_learned() -> None:
    def objective(trial: optuna.Trial) -> float:
        wide = 1.0 if trial.number < 6 else 2.0
        return trial.suggest_float("x", -wide, wide) + trial.suggest_float("y", 0, 1)

    study = search(space=None, trials=12, objective=objective)
    encodings = [g.encoding for g in population(study).generations]
    assert [sorted(e.space) for e in encodings if e is not None] == [["x", "y"], *[["y"]] * 3]
    assert all(-2 <= t.params["x"] <= 2 for t in study.trials)


def test_generations_are_drawn_until_a_trial_is_complete() -> None:
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


def test_only_a_learned_space_sorts_its_names() -> None:
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


@pytest.mark.parametrize("known", [True, False])
def test_a_conditional_space_is_searched(known: bool) -> None:
    space: Space = {
        "kind": CategoricalDistribution(["deep", "wide"]),
        "layers": IntDistribution(1, 9),
        "width": FloatDistribution(0.1, 10, log=True),
    }

    def objective(trial: optuna.Trial) -> float:
        if suggest(trial, {"kind": space["kind"]})["kind"] == "deep":
            return float(suggest(trial, {"layers": space["layers"]})["layers"])
        return float(suggest(trial, {"width": space["width"]})["width"])

    study = search(space=space if known else None, trials=40, objective=objective)
    assert {seat_of(t) for t in study.trials} == {
        Seat(g, number) for g in range(10) for number in range(4)
    }
    generation = population(study).generations[3]
    assert generation.encoding is not None
    assert list(generation.encoding.space) == list(space)
    kinds = {t.params["kind"] for t in study.trials}
    assert kinds == {"deep", "wide"}


def by_choice(trial: optuna.Trial, seat: Seat) -> Space:
    """Return the parameters to suggest, which depend on a parameter's value."""
    del seat
    branches = {"a": ["x", "rate"], "b": ["width", "x"], None: ["even"], 3: []}
    op = suggest(trial, {"op": SPACE["op"]})["op"]
    return {name: SPACE[name] for name in branches[op]}


def ever_more(trial: optuna.Trial, seat: Seat) -> Space:
    """Return the parameters to suggest, of which more appear within generations."""
    del trial
    shown = 1 + (seat.generation + seat.number) // 2
    return dict(list(SPACE.items())[:shown])


def other_ranges(trial: optuna.Trial, seat: Seat) -> Space:
    """Return the parameters to suggest; a learned range changes when another one appears."""
    space = by_choice(trial, seat)
    if seat >= Seat(2, 3):
        space |= {"x": FloatDistribution(-2, 0.5), "late": FloatDistribution(0, 1)}
    return space


@pytest.mark.parametrize("asks", [by_choice, ever_more, other_ranges])
@pytest.mark.parametrize("preset", ["plain", "paper"])
@settings(max_examples=2)  # for each of six parametrizations
@given(seed=st.integers(0, 99), noisy=st.booleans(), dice=st.randoms(use_true_random=False))
def test_learned_spaces_do_not_depend_on_order_or_process(
    preset: str, asks: Callable[[optuna.Trial, Seat], Space], seed: int, noisy: bool, dice: Random
) -> None:
    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        # An extra trial suggests parameters of later seats, which must not reach the population.
        space = asks(trial, Seat(9, 0) if seat is None else seat)
        suggest(trial, space)
        # The value must not depend on distributions.
        value = math.fsum(math.cos(len(n) + 2 * hash_of(v)) for n, v in trial.params.items())
        return value + (noise_at(seat) if noisy else 0.0)

    def sampler() -> RelativeNASSampler:
        return new_sampler(None, 4, preset, seed=seed)

    study = optuna.create_study(sampler=sampler())
    running: list[tuple[optuna.Trial, float]] = []
    for _ in range(42):
        if running and (len(running) == 4 or dice.random() < 0.5):
            trial, value = running.pop(dice.randrange(len(running)))
            study.tell(trial, value)
        else:
            if dice.random() < 0.1:
                study.sampler = sampler()  # another process
            trial = study.ask()
            running.append((trial, objective(trial)))
    assert bits(followed(study)) == state(study)
    undisturbed = search(
        space=None,
        trials=len(study.trials),
        population_size=4,
        seed=seed,
        preset=preset,
        objective=objective,
    )
    expected = dict(seated(undisturbed))
    for seat, params in seated(study):
        assert seat not in expected or expected[seat] == params
    assert len(dict(seated(study)).keys() & expected.keys()) >= 9


def hash_of(value: Any) -> float:
    """Return a number that represents a parameter's value."""
    return value if isinstance(value, float) else float(len(repr(value)))


def test_a_scored_pair_moves_on_before_its_generation_is_complete() -> None:
    study = empty_study(None)
    for _ in range(4):
        step(study)
    assert [step(study), step(study)] == [Seat(1, 0), Seat(1, 1)]
    held = [ask(study) for _ in range(2)]
    assert [seat for _, seat in held] == [Seat(1, 2), Seat(1, 3)]
    following = population(study).generations[2]
    first = [following.seat(member) for member in population(study).generations[1].pairs[0]]
    assert {ask(study)[1] for _ in range(2)} == {Seat(2, seat) for seat in first}


def test_only_parameters_that_are_never_learned_cause_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.enable_propagation()
    try:
        search(space=None, trials=12, objective=lambda trial: loss(by_name(trial), SPACE))
        assert not [m for m in caplog.messages if "does not search" in m]
        search(
            space={"x": SPACE["x"]}, trials=4, objective=lambda t: loss(suggest(t, SPACE), SPACE)
        )
    finally:
        optuna.logging.disable_propagation()
        optuna.logging.set_verbosity(verbosity)
    warned = [m for m in caplog.messages if "does not search" in m]
    assert list(dict.fromkeys(m.split("'")[1] for m in warned)) == list(SPACE)[1:]


def by_name(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the parameters that `ever_more` returns."""
    seat = seat_of(trial)
    assert seat is not None
    return suggest(trial, ever_more(trial, seat))


def classifier(trial: optuna.Trial) -> float:
    """Return the error of an invented classifier, each kind of which has its own parameters."""
    if trial.suggest_categorical("kind", ["svc", "forest"]) == "svc":
        c = trial.suggest_float("c", 1e-10, 1e10, log=True)
        return 0.02 + 0.03 * abs(math.log10(c) - 2)
    depth = trial.suggest_int("depth", 2, 32, log=True)
    share = trial.suggest_float("share", 0.1, 1)
    return 0.04 + 0.05 * abs(math.log(depth / 9)) + 0.1 * (share - 0.4) ** 2


def test_a_conditional_objective_is_minimized_better_than_at_random() -> None:
    def best(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(sampler=sampler)
        study.optimize(classifier, n_trials=40)
        return study.best_value - 0.02

    ours = [best(RelativeNASSampler(seed=seed)) for seed in range(3)]
    at_random = [best(optuna.samplers.RandomSampler(seed=seed)) for seed in range(15)]
    assert np.median(ours) < np.median(at_random) / 2
