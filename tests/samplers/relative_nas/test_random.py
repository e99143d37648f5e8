"""Preset "random": seats as in a search, without learning."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest

from relativenas_optuna import CellSpace, RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.samplers.seats.keyed_random import uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.samplers.seats.claims import Seat

SPACE = CellSpace(nodes=2).distributions
SIZE, GENERATIONS, SEED = 6, 8, 3


def proposed(
    preset: str = "random",
    *,
    loss: Callable[[dict[str, Any]], float] = lambda params: len(str(params)),
    trials: int = SIZE * GENERATIONS,
    known: bool = True,
) -> dict[Seat, dict[str, Any]]:
    """Return the parameters of every seat; every fifth trial begins with a new sampler object."""
    study = optuna.create_study()
    for number in range(trials):
        if number % 5 == 0:
            study.sampler = RelativeNASSampler(
                SPACE if known else None, population_size=SIZE, seed=SEED, preset=preset
            )
        trial = study.ask()
        params = {name: trial._suggest(name, SPACE[name]) for name in SPACE}
        study.tell(trial, loss(params))
    return {seat: trial.params for trial in study.trials if (seat := seat_of(trial))}


def test_preset_random_shares_only_generation_0_with_paper() -> None:
    searched, drawn = proposed("paper"), proposed()
    assert searched.keys() == drawn.keys()
    assert len(drawn) == SIZE * GENERATIONS
    same = [seat.generation for seat in drawn if drawn[seat] == searched[seat]]
    assert same == [0] * SIZE


@pytest.mark.parametrize("known", [True, False])
def test_preset_random_draws_by_seed_seat_and_name(known: bool) -> None:
    one, other = (
        proposed(loss=loss, known=known)
        for loss in (lambda params: len(str(params)), lambda params: -len(str(params)))
    )
    assert one == other
    for seat, params in one.items():
        if seat.generation:
            for name, value in params.items():
                choices = SPACE[name].choices
                drawn = uniform(SEED, seat.generation, seat.number, name)
                assert value == choices[int(drawn * len(choices))]


def test_preset_random_draws_every_choice_evenly() -> None:
    operations = Counter(
        value
        for params in proposed(trials=SIZE * 15).values()
        for name, value in params.items()
        if ".op" in name
    )
    counts = np.array(list(operations.values()))
    expected = counts.sum() / 7
    assert len(counts) == 7
    # Chi-square with 6 degrees of freedom exceeds 22.5 with probability 0.001.
    assert ((counts - expected) ** 2 / expected).sum() < 22.5
