"""Preset "plain": candidate moves, of which one is made."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.intervals import finite_count, interval, value_index
from relativenas_optuna.samplers.relative_nas.surrogate.settings import Screening
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers import strategies
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    both_spaces,
    followed,
    loss,
    loss_of,
    new_sampler,
    noise_at,
    noisy_loss_of,
    population,
    search,
    seated,
    state,
    suggest,
    trials_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from relativenas_optuna.samplers.relative_nas.generation import PairedGeneration

SMALL = Screening(draws=6, redraw_probability=0.0, latin_hypercube=True)


@both_spaces
@given(size=st.sampled_from([4, 10]), seed=st.integers(0, 2**32 - 1))
def test_generation_0_is_a_latin_hypercube(space: Space | None, size: int, seed: int) -> None:
    study = search(space=space, trials=size, population_size=size, seed=seed, preset="plain")
    for name, distribution in SPACE.items():
        if finite_count(distribution) is not None and (finite_count(distribution) or 0) > size:
            continue
        values = [trial.params[name] for trial in study.trials]
        kinds = finite_count(distribution)
        if kinds is None:
            low, high = interval(distribution)
            x = [np.log(v) if distribution.log else v for v in values]  # type: ignore[attr-defined]
            parts = np.floor((np.array(x) - low) / (high - low) * size)
            assert sorted(parts.astype(int).tolist()) == list(range(size))
        elif name != "width":  # cells of a log integer have different lengths
            times = [values.count(value) for value in set(values)]
            assert len(times) == kinds or size < kinds
            assert max(times) <= -(-size // kinds) + 1


def reachable(
    before: PairedGeneration, generation: PairedGeneration, member: int, pair: int
) -> bool:
    """Return True if some random matrices lead by the rule to the cell of a member's position."""
    encoding = before.encoding
    assert encoding is not None
    fast, slow = before.learners(pair)
    assert member == slow
    start = before.positions[slow]
    parts = [before.velocities[slow], before.positions[fast] - start]
    low = start + sum(np.minimum(part, 0) for part in parts)
    high = start + sum(np.maximum(part, 0) for part in parts)
    position = generation.positions[member]
    for i, distribution in enumerate(encoding.space.values()):
        ends = [np.clip(x[i], encoding.low[i], encoding.high[i]) for x in (low, high)]
        if finite_count(distribution) is None:
            # Reflected at the bounds any number of times.
            bound, width = encoding.low[i], encoding.high[i] - encoding.low[i]
            inside = position[i] - bound
            images = [bound + x + 2 * width * k for x in (inside, -inside) for k in range(-3, 4)]
            slack = 1e-9 * max(1.0, width)
            if not any(low[i] - slack <= image <= high[i] + slack for image in images):
                return False
        else:
            first, last = (value_index(distribution, float(x)) for x in ends)
            if not first <= value_index(distribution, float(position[i])) <= last:
                return False
    return True


@given(space=strategies.spaces(max_size=3), seed=st.integers(0, 999))
def test_without_redraws_moves_follow_the_learning_rule(space: Space, seed: int) -> None:
    study = search(
        space=space,
        trials=trials_of(4, 4),
        seed=seed,
        preset="plain",
        screening=SMALL,
        objective=loss_of(space),
    )
    found = population(study)
    encoding = Encoding.of(space)
    left = 0
    for before, generation in zip(found.generations, found.generations[1:], strict=False):
        for pair in np.flatnonzero(before.learned).tolist():
            _, slow = before.learners(pair)
            left += not reachable(before, generation, slow, pair)
    # Only if every candidate is visited does a move leave the rule.
    assert left == 0 or encoding.counts is not None


@both_spaces
@pytest.mark.parametrize("objective", [loss_of(SPACE), noisy_loss_of(SPACE)], ids=["", "noisy"])
def test_another_process_replays_the_same_positions(
    space: Space | None, objective: Callable[[optuna.Trial], float]
) -> None:
    def searched() -> optuna.Study:
        return search(
            space=space, trials=43, population_size=6, preset="plain", objective=objective
        )

    study, again = searched(), searched()
    assert bits(followed(study)) == state(study)
    # A process that continues proposes what the first one would have proposed.
    study.optimize(objective, n_trials=9)
    again.sampler = new_sampler(space, 6, "plain")
    again.optimize(objective, n_trials=9)
    assert seated(again) == seated(study)


def test_a_late_process_fits_the_same_hyperparameters() -> None:
    study, again = (search(space=SPACE, trials=81, preset="plain") for _ in range(2))
    assert len(population(study).generations) > 36  # from 32 on, not every generation has a fit
    for _ in range(6):
        again.sampler = new_sampler(SPACE, 4, "plain")
        again.optimize(loss_of(SPACE), n_trials=1)
    study.optimize(loss_of(SPACE), n_trials=6)
    assert seated(again) == seated(study)


@given(seed=st.integers(0, 99), learned=st.booleans(), noisy=st.booleans(), dice=st.randoms())
@settings(max_examples=12)
def test_the_order_in_which_trials_finish_does_not_matter(
    seed: int, learned: bool, noisy: bool, dice: Random
) -> None:
    def tell(trial: optuna.Trial) -> None:
        noise = noise_at(seat_of(trial)) if noisy else 0.0
        study.tell(trial, loss(trial.params, SPACE) + noise)

    size, space = 6, None if learned else SPACE
    study = optuna.create_study(sampler=new_sampler(space, size, "plain", seed=seed))
    running: list[optuna.Trial] = []
    for _ in range(3 * trials_of(size, 6)):
        if running and dice.random() < 0.6:
            tell(running.pop(dice.randrange(len(running))))
        elif len(running) < 3:
            trial = study.ask()
            suggest(trial, SPACE)
            running.append(trial)
    for trial in running:
        tell(trial)
    undisturbed = search(
        space=space,
        trials=len(study.trials),
        population_size=size,
        seed=seed,
        preset="plain",
        objective=noisy_loss_of(SPACE) if noisy else loss_of(SPACE),
    )
    expected = dict(seated(undisturbed))
    for seat, params in seated(study):
        assert seat not in expected or expected[seat] == params
    assert len(dict(seated(study)).keys() & expected.keys()) >= trials_of(size, 2)


def test_an_enqueued_architecture_becomes_its_members_position() -> None:
    study = search(space=SPACE, trials=12, population_size=4, preset="plain")
    params = {"x": 0.5, "rate": 0.01, "width": 7, "even": 2, "op": None}
    study.enqueue_trial(params)
    study.optimize(loss_of(SPACE), n_trials=9)
    encoding = Encoding.of(SPACE)
    expected = encoding.position_of(params, encoding.low).tolist()
    assert any(
        expected in generation.positions.tolist() for generation in population(study).generations
    )
    assert state(study) == state(study)


@pytest.mark.parametrize("bad", ["fails", "is nan", "is pruned"])
def test_trials_without_a_finite_score_do_not_stop_the_search(bad: str) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = loss_of(SPACE)(trial)
        if trial.number % 3 == 0:
            if bad == "fails":
                raise RuntimeError
            if bad == "is pruned":
                raise optuna.TrialPruned
            return float("inf")
        return value

    study = search(space=SPACE, trials=60, population_size=4, preset="plain", objective=objective)
    assert len(study.trials) == 60


def test_a_simple_function_is_minimized_faster_than_by_other_presets() -> None:
    space: Space = {f"x{i}": optuna.distributions.FloatDistribution(-1, 1) for i in range(6)}

    def objective(trial: optuna.Trial) -> float:
        return math.fsum((x - 0.3) ** 2 for x in suggest(trial, space).values())

    best = {
        preset: np.mean(
            [
                search(
                    space=space,
                    trials=60,
                    population_size=10,
                    seed=seed,
                    preset=preset,
                    objective=objective,
                ).best_value
                for seed in range(3)
            ]
        )
        for preset in ("plain", "paper", "random")
    }
    assert best["plain"] < 0.2 * best["random"]
    assert best["plain"] < 0.5 * best["paper"]


def test_a_value_outside_the_space_does_not_make_processes_differ() -> None:
    """It has no position for any process that reads the study."""
    given: Space = {"x": IntDistribution(0, 10), "y": FloatDistribution(0, 1)}

    def objective(trial: optuna.Trial) -> float:
        return (trial.suggest_int("x", 0, 20) - 7) ** 2 + trial.suggest_float("y", 0, 1)

    def found(*, anew: bool) -> list[dict[str, object]]:
        sampler = RelativeNASSampler(given, population_size=4, seed=1)
        study = optuna.create_study(sampler=sampler)
        for number in range(30):
            if number % 5 == 4:
                study.enqueue_trial({"x": 15, "y": 0.5})
            if anew:
                study.sampler = RelativeNASSampler(given, population_size=4, seed=1)
            study.optimize(objective, n_trials=1)
        return [trial.params for trial in study.trials]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parameters outside the space
        assert found(anew=False) == found(anew=True)


@pytest.mark.parametrize("log", [False, True])
def test_floats_do_not_stick_to_their_bounds(*, log: bool) -> None:
    """The optimum is near a bound, and is found."""
    space: Space = {f"x{i}": FloatDistribution(1, 2, log=log) for i in range(5)}
    study = optuna.create_study(sampler=RelativeNASSampler(space, seed=0))
    study.optimize(
        lambda trial: sum((x - 1.05) ** 2 for x in suggest(trial, space).values()), n_trials=100
    )
    at_a_bound = sum(x in (1, 2) for trial in study.trials for x in trial.params.values())
    assert at_a_bound == 0
    assert study.best_value < 0.002  # as good as TPE
