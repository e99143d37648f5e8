"""The sampler's arguments, and settings that anybody may have written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from relativenas_optuna import MIGOSampler
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.migo.settings import MIGOArguments, MIGOSettings
from relativenas_optuna.storages.stored_json import UNREADABLE
from tests.helpers.samplers.searches import OBJECTIVE, SPACE

SETTINGS = MIGOSettings(10, 3, SPACE, pruning_interval=2, bins=5, step=0.5, momentum=0.25)


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        *(("population_size", bad) for bad in (0, -2, 2.0, "4", 10**12, True)),
        *(("seed", bad) for bad in (-1, 2**32, "0")),
        *(("fair_sampling", bad) for bad in (0, 1, "yes")),
        *(("pruning_interval", bad) for bad in (-1, 1.0, "2", 2**40, False)),
        *(("bins", bad) for bad in (1, 0, 1001, 2.5, True)),
        *(("step", bad) for bad in (0, -1.0, math.nan, math.inf, "1", True, 101)),
        *(("momentum", bad) for bad in (1, -0.1, math.nan, "0.5", False, 1 + 0j)),
        ("search_space", {"x": None}),
    ],
    ids=repr,
)
def test_an_error_names_the_bad_argument_in_one_line(argument: str, bad: Any) -> None:
    with pytest.raises(SettingsError) as refusal:
        MIGOSampler(**{argument: bad})
    message = str(refusal.value)
    assert message.startswith(argument)
    assert "\n" not in message
    assert repr(bad) in message or argument == "search_space"
    if argument != "search_space":  # stored settings have the same bounds
        stored = SETTINGS.to_json() | {argument: bad}
        with pytest.raises(UNREADABLE):
            MIGOSettings.from_json(stored)


def test_settings_come_back_from_their_json() -> None:
    stored = json.loads(json.dumps(SETTINGS.to_json()))
    assert MIGOSettings.from_json(stored) == SETTINGS
    for name in stored:
        if name not in ("limits", "space"):
            with pytest.raises(UNREADABLE):
                MIGOSettings.from_json(stored | {name: None})
        with pytest.raises(UNREADABLE):
            MIGOSettings.from_json({key: value for key, value in stored.items() if key != name})


def test_numpy_numbers_are_taken_as_numbers() -> None:
    arguments = MIGOArguments(
        np.int64(8),  # type: ignore[arg-type]
        np.uint8(3),  # type: ignore[arg-type]
        fair_sampling=np.True_,  # type: ignore[arg-type]
        bins=np.int32(4),  # type: ignore[arg-type]
        step=np.float32(0.5),  # type: ignore[arg-type]
    )
    assert arguments == MIGOArguments(8, 3, fair_sampling=True, bins=4, step=0.5)
    assert json.dumps(arguments.new_settings(optuna.create_study()).to_json())


@pytest.mark.parametrize(
    ("space", "arguments", "size"),
    [
        (None, {}, 20),
        (SPACE, {}, 10),
        (SPACE, {"bins": 3}, 8),
        (SPACE, {"bins": 7}, 7),
        (SPACE, {"bins": 3, "population_size": 12}, 12),
        ({"op": CategoricalDistribution(range(37))}, {}, 37),
        ({"op": CategoricalDistribution("ab")}, {}, 6),
        ({"one": CategoricalDistribution([0])}, {}, 6),
        ({}, {}, 6),
    ],
)
def test_a_sweep_uses_each_category_equally_often_by_default(
    space: dict[str, BaseDistribution] | None, arguments: dict[str, Any], size: int
) -> None:
    study = optuna.create_study()
    assert MIGOArguments(space=space, **arguments).new_settings(study).population_size == size


def test_categories_are_pruned_by_default_with_fair_sampling_alone() -> None:
    study = optuna.create_study()
    intervals = [
        MIGOArguments(fair_sampling=fair, pruning_interval=asked)
        .new_settings(study)
        .pruning_interval
        for fair, asked in ((None, None), (True, None), (False, None), (False, 2), (True, 0))
    ]
    assert intervals == [5, 5, 0, 2, 0]


def test_fewer_trials_in_a_sweep_than_categories_are_refused_in_one_line() -> None:
    with pytest.raises(SettingsError) as refusal:
        MIGOSampler(SPACE, population_size=9)
    assert str(refusal.value) == (
        "population_size=9 is less than the 10 categories of parameter 'x', and a sweep of fair "
        "sampling uses each of them: pass population_size=10 or more, or fair_sampling=False"
    )
    MIGOSampler(SPACE, population_size=9, bins=9)
    MIGOSampler(SPACE, population_size=1, fair_sampling=False)
    MIGOSampler(population_size=1)
    stored = replace(SETTINGS, population_size=4).to_json()
    with pytest.raises(UNREADABLE):
        MIGOSettings.from_json(stored)


def test_arguments_that_differ_from_the_study_are_refused() -> None:
    study = optuna.create_study(study_name="s", sampler=MIGOSampler(SPACE, seed=3, bins=5))
    study.optimize(OBJECTIVE, n_trials=2)
    for arguments, message in (
        ({"bins": 4}, "bins=4 does not fit study 's', which was started with bins=5"),
        ({"fair_sampling": False}, "fair_sampling=False does not fit study 's'"),
        ({"pruning_interval": 3}, "pruning_interval=3 does not fit study 's'"),
        ({"step": 2}, "step=2 does not fit study 's'"),
        ({"momentum": 0}, "momentum=0 does not fit study 's'"),
        ({"search_space": {"x": FloatDistribution(-1, 1)}}, "search_space does not fit study 's'"),
    ):
        study.sampler = MIGOSampler(**arguments)
        with pytest.raises(SettingsError, match=message):
            study.ask()
    study.sampler = MIGOSampler(bins=5, step=1)
    study.ask()
