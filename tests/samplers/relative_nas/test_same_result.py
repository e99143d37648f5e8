"""Equal populations from any order of trials, threads, restarts and whole generations."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.samplers import RandomSampler

from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.samplers.seats.replay import ARRIVAL_AGE
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    ask,
    bits,
    both_spaces,
    empty_study,
    loss,
    loss_of,
    new_sampler,
    population,
    scored,
    search,
    suggest,
    trials_of,
)

both_presets = pytest.mark.parametrize("preset", ["plain", "paper"])


def complete(study: optuna.Study, generations: int) -> bool:
    """Return True if the first generations are scored."""
    known = new_sampler(None, 6).population(study)
    return known is not None and known.scored_seats(generations) == 6 * generations


def by_threads(study: optuna.Study, space: Space | None, preset: str, generations: int) -> None:
    while not complete(study, generations):
        study.optimize(OBJECTIVE, n_trials=16, n_jobs=8)


def by_restarts(study: optuna.Study, space: Space | None, preset: str, generations: int) -> None:
    while not complete(study, generations):
        study.sampler = new_sampler(space, 6, preset)
        study.optimize(OBJECTIVE, n_trials=1)


def in_random_order(
    study: optuna.Study, space: Space | None, preset: str, generations: int
) -> None:
    dice = Random(1)
    running: list[optuna.Trial] = []
    while not complete(study, generations):
        for _ in range(8):
            study.sampler = new_sampler(space, 6, preset)
            if running and dice.random() < 0.5:
                trial = running.pop(dice.randrange(len(running)))
                study.tell(trial.number, loss(suggest(trial, SPACE), SPACE))
            else:
                running.append(study.ask())


def by_generations(study: optuna.Study, space: Space | None, preset: str, generations: int) -> None:
    dice = Random(2)
    while not complete(study, generations):
        study.sampler = sampler = new_sampler(space, 6, preset)
        trials = sampler.ask_generation(study)
        dice.shuffle(trials)
        for trial in trials:
            study.tell(trial, loss(suggest(trial, SPACE), SPACE))


def by_queues(study: optuna.Study, space: Space | None, preset: str, generations: int) -> None:
    ours, others = new_sampler(space, 6, preset), RandomSampler(seed=0)
    while not complete(study, generations):
        if space is None and ours.population(study) is None:
            study.optimize(OBJECTIVE, n_trials=6)  # a complete generation shows the parameters
        enqueued = ours.enqueue_generation(study)
        study.sampler = others
        study.optimize(OBJECTIVE, n_trials=len(enqueued))
        study.sampler = ours


@both_presets
@both_spaces
@pytest.mark.parametrize(
    "way",
    [by_threads, by_restarts, in_random_order, by_generations, by_queues],
    ids=lambda way: way.__name__,
)
def test_the_populations_are_those_of_one_worker(
    way: Any, space: Space | None, preset: str
) -> None:
    generations = 6
    study = optuna.create_study(sampler=new_sampler(space, 6, preset))
    way(study, space, preset, generations)
    trials = 6 * generations if preset == "paper" else trials_of(6, generations)
    undisturbed = search(space=space, trials=trials, population_size=6, preset=preset)
    found, expected = (bits(population(each, 6)) for each in (study, undisturbed))
    # A pair of the next generation may have moved on in only one of them.
    assert found[:generations] == expected[:generations]
    everyone = scored(undisturbed)
    found_scores = scored(study)
    assert {seat: found_scores[seat] for seat in everyone} == everyone


@both_presets
def test_threads_in_a_finite_space_get_the_populations_of_one_worker(preset: str) -> None:
    space: Space = {name: CategoricalDistribution(list("abcd")) for name in "xyz"}
    study = optuna.create_study(sampler=new_sampler(space, 6, preset))
    while not complete(study, 8):
        study.optimize(loss_of(space), n_trials=8, n_jobs=8)
    trials = 48 if preset == "paper" else trials_of(6, 8)
    undisturbed = search(
        space=space, trials=trials, population_size=6, preset=preset, objective=loss_of(space)
    )
    assert bits(population(study, 6))[:8] == bits(population(undisturbed, 6))[:8]


def test_a_trial_without_a_free_seat_does_not_wait_for_others() -> None:
    study = empty_study(SPACE, size=2)
    first, _ = ask(study), ask(study)
    for _ in range(2):  # waiting threads
        study._storage.create_new_trial(study._study_id)
    before = time.monotonic()
    trial, seat = ask(study)
    assert time.monotonic() - before < ARRIVAL_AGE / 2
    assert (seat, trial.params) == (Seat(0, 0), first[0].params)
