from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest

from relativenas_optuna.objective.settings import PRESETS, SearchSettings, check_seed, preset

PAPER = preset("paper")
WHOLE = (
    "nodes",
    "channels",
    "cells",
    "population",
    "generations",
    "batch_size",
    "padding",
    "uniform_epochs",
)
INF, NAN = math.inf, math.nan

BAD: dict[str, list[Any]] = {
    "nodes": [0, -1],
    "channels": [0],
    "cells": [0],
    "population": [0, 1, -2],
    "generations": [0],
    "train_fraction": [0.0, 1.0, -0.5, 2, NAN],
    "batch_size": [1, 0],
    "learning_rate": [-1e-9, INF, NAN, 10**400],
    "learning_rate_end": [-1, INF, NAN],
    "momentum": [-0.1, 1.1, NAN],
    "weight_decay": [-1e-9, INF, NAN],
    "clip": [0, 0.0, -1, INF, NAN],
    "drop_path": [-0.1, 1.0, NAN],
    "padding": [-1],
    "flip": [1, 0, None, "no"],
    "cutout": [-1],
    "precision": ["float16", "bf16", "", None, 32, True],
    "uniform_epochs": [-1],
    "tuning": [-0.1, 1.1, NAN],
}


@pytest.mark.parametrize("generation", range(51))
def test_schedules_of_the_paper(generation: int) -> None:
    rate = 0.001 + 0.0495 * (1 + math.cos(math.pi * generation / 50))
    assert PAPER.learning_rate_of(generation) == pytest.approx(rate, rel=1e-12)
    assert PAPER.drop_path_of(generation) == pytest.approx(0.3 * generation / 50, rel=1e-12)


def test_schedules_begin_and_end_exactly_and_stay_at_their_end() -> None:
    assert PAPER.learning_rate_of(0) == 0.1
    assert PAPER.learning_rate_of(50) == PAPER.learning_rate_of(999) == 0.001
    assert PAPER.drop_path_of(0) == 0
    assert PAPER.drop_path_of(50) == PAPER.drop_path_of(999) == 0.3
    level = replace(PAPER, learning_rate_end=0.1)
    assert {level.learning_rate_of(generation) for generation in range(60)} == {0.1}


def test_the_paper_preset_is_the_papers() -> None:
    assert SearchSettings() == PAPER
    assert (PAPER.nodes, PAPER.channels, PAPER.cells) == (4, 16, 8)
    assert (PAPER.population, PAPER.generations, PAPER.train_fraction) == (20, 50, 0.5)
    assert (PAPER.batch_size, PAPER.momentum, PAPER.weight_decay) == (256, 0.9, 3e-4)
    assert (PAPER.clip, PAPER.padding, PAPER.flip, PAPER.cutout) == (5, 4, True, 16)


def test_only_the_paper_trains_each_candidate() -> None:
    epochs = {name: settings.uniform_epochs for name, settings in PRESETS.items()}
    assert epochs.pop("paper") == 0
    assert min(epochs.values()) > 0


def test_every_field_has_values_that_are_refused() -> None:
    assert set(BAD) == {field.name for field in fields(SearchSettings)}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_out_of_range_is_refused_in_one_line_that_names_it(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be .*; got ") as caught:
        SearchSettings(**{name: value})
    assert "\n" not in str(caught.value)
    assert str(value)[:77] in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(BAD) - {"flip", "precision"}))
@pytest.mark.parametrize("value", ["8", None, True, [1]])
def test_a_value_of_another_type_is_refused_in_one_line_that_names_it(
    name: str, value: Any
) -> None:
    kind = "a whole number" if name in (*WHOLE, "cutout") else "a (finite )?number"
    with pytest.raises(ValueError, match=rf"^{name} must be {kind} .*; got "):
        SearchSettings(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_a_broken_number_is_refused_where_a_whole_one_is_meant(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be a whole number .*; got 4.0"):
        SearchSettings(**{name: 4.0})  # type: ignore[arg-type]


def test_whole_numbers_are_taken_where_broken_ones_are_meant() -> None:
    assert replace(PAPER, learning_rate=1, drop_path=0).learning_rate_of(0) == 1


def test_presets_are_known_by_name() -> None:
    assert set(PRESETS) == {"paper", "small", "digits"}
    with pytest.raises(ValueError, match="preset must be one of paper, small, digits; got 'papre'"):
        preset("papre")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", None, True])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    with pytest.raises(
        ValueError, match=r"^seed must be a whole number from 0 to 2\*\*32 - 1; got"
    ):
        check_seed(seed)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_seeds_are_taken(seed: int) -> None:
    check_seed(seed)
