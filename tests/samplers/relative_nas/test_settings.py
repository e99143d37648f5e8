"""The sampler's arguments, and conflicts with the settings of a study."""

from __future__ import annotations

import copy
import json
import math
import pickle
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.relative_nas.settings import Arguments, Settings
from relativenas_optuna.samplers.relative_nas.surrogate.settings import PLAIN
from tests.helpers.samplers import strategies
from tests.helpers.samplers.searches import SPACE, loss_of, population, search

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = Settings(population_size=4, seed=3, preset="paper", space=SPACE)


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        *(("population_size", bad) for bad in (0, 1, 3, -2, 2.0, "4", 10**12, True, math.nan)),
        *(("seed", bad) for bad in (-1, 2**32, 1.5, "0", False)),
        *(("preset", bad) for bad in ("papers", "", 1)),
        *(("warm_start", bad) for bad in (0, 1, "yes", ())),
        ("independent_sampler", 3),
        ("search_space", 20),
        ("search_space", "x"),
        ("search_space", ["x"]),
        ("search_space", {"x": (0, 1)}),
        ("search_space", {"x": None}),
        ("search_space", {1: FloatDistribution(0, 1)}),
    ],
    ids=repr,
)
def test_an_error_names_the_bad_argument_in_one_line(argument: str, bad: Any) -> None:
    with pytest.raises(SettingsError) as refusal:
        RelativeNASSampler(**{argument: bad})
    message = str(refusal.value)
    assert message.startswith(argument)
    assert "\n" not in message
    shown = repr(bad)
    if isinstance(bad, dict):
        ((name, value),) = bad.items()
        shown = f"{name!r} is {value!r}"
    assert shown in message


@pytest.mark.parametrize(
    ("distribution", "word"),
    [
        (FloatDistribution(-1e308, 1e308), "1e+308"),
        (IntDistribution(0, 10**400), "too wide"),
    ],
)
def test_a_range_too_large_for_floats_is_an_error(
    distribution: BaseDistribution, word: str
) -> None:
    with pytest.raises(SettingsError, match=r"^search_space\['x'\]: [^\n]*$") as refusal:
        RelativeNASSampler({"x": distribution})
    assert word in str(refusal.value)


@pytest.mark.parametrize("choices", [[(1, 2), (3, 4)], ["a", [1]], [int, str]])
def test_choices_that_json_changes_are_an_error(choices: list[Any]) -> None:
    with pytest.warns(UserWarning, match="Choices for a categorical distribution"):
        distribution = CategoricalDistribution(choices)
    with pytest.raises(SettingsError, match=r"^search_space\['x'\][^\n]*JSON[^\n]*$") as refusal:
        RelativeNASSampler({"x": distribution})
    assert str(distribution) in str(refusal.value)


@pytest.mark.parametrize("size", [2, 4, 100])
@pytest.mark.parametrize("seed", [None, 0, 2**32 - 1])
@pytest.mark.parametrize("space", [None, {}, SPACE, MappingProxyType(SPACE)], ids=type)
def test_valid_arguments_are_accepted(size: int, seed: int | None, space: Any) -> None:
    RelativeNASSampler(space, population_size=size, seed=seed, preset="paper")


@given(strategies.spaces())
def test_settings_survive_json_with_the_order_of_the_space(
    space: dict[str, BaseDistribution],
) -> None:
    for settings in (
        replace(SETTINGS, space=space),
        replace(SETTINGS, space=None, warm_start=(2, 5)),
    ):
        text = json.dumps(settings.to_json(), sort_keys=True)  # some databases reorder keys
        back = Settings.from_json(json.loads(text))
        assert back == settings
        assert list(back.space or {}) == list(settings.space or {})


def test_every_kind_of_choice_survives_json() -> None:
    space = {"c": CategoricalDistribution([None, True, 2, -1.5, math.nan, math.inf, "ü"])}
    settings = replace(SETTINGS, space=space)
    back = Settings.from_json(json.loads(json.dumps(settings.to_json())))
    Arguments(space=space).check_agrees_with(back, "s")


def reordered() -> dict[str, BaseDistribution]:
    return dict(reversed(SPACE.items()))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"population_size": 6}, ["population_size=6", "population_size=4"]),
        ({"seed": 9}, ["seed=9", "seed=3"]),
        ({"preset": "plain"}, ["preset='plain'", "preset='paper'"]),
        ({"warm_start": True}, ["warm_start=True", "warm_start=False"]),
        ({"search_space": reordered()}, ["search_space", "order"]),
        (
            {"search_space": {**SPACE, "x": FloatDistribution(0, 3)}},
            ["search_space", "'x'", "high=3.0", "high=1.0"],
        ),
        (
            {"search_space": {**SPACE, "new": IntDistribution(0, 3)}},
            ["search_space", "'new'", "high=3", "absent"],
        ),
        (
            {"search_space": {name: SPACE[name] for name in list(SPACE)[1:]}},
            ["search_space", repr(next(iter(SPACE))), "absent"],
        ),
        ({"search_space": {}}, ["search_space", "absent"]),
    ],
    ids=",".join,
)
def test_a_conflict_with_the_study_names_both_values(
    changed: dict[str, Any], words: list[str]
) -> None:
    study = search(space=SPACE, trials=5, study_name="mine")
    arguments = {"search_space": SPACE, "population_size": 4, "seed": 3, **changed}
    study.sampler = RelativeNASSampler(**arguments)
    for ask in (study.ask, lambda: study.optimize(lambda _: 0.0, n_trials=1)):
        with pytest.raises(SettingsError) as refusal:
            ask()
        message = str(refusal.value)
        assert "\n" not in message
        for word in ["'mine'", "study", *words]:
            assert word in message
    assert [t.state for t in study.trials[5:]] == [TrialState.FAIL] * 2
    # The study can still be used.
    study.sampler = RelativeNASSampler()
    study.optimize(loss_of(SPACE), n_trials=7)
    assert scores(study) == scores(search(space=SPACE, trials=12))


def scores(study: optuna.Study) -> list[float | None]:
    return [t.value for t in study.trials if t.state == TrialState.COMPLETE]


def test_a_space_for_a_study_started_without_one_is_an_error() -> None:
    study = search(space=None, trials=1)
    study.sampler = RelativeNASSampler(SPACE, population_size=4)
    with pytest.raises(SettingsError, match="started without one"):
        study.ask()


def test_missing_arguments_come_from_the_study() -> None:
    study = search(space=SPACE, trials=5, population_size=6, preset="plain")
    study.sampler = RelativeNASSampler()
    study.optimize(loss_of(SPACE), n_trials=7)
    whole = search(space=SPACE, trials=12, population_size=6, preset="plain")
    assert scores(study) == scores(whole)


def test_a_new_study_starts_with_the_defaults() -> None:
    started = []
    for _ in range(2):
        study = optuna.create_study(sampler=RelativeNASSampler())
        study.ask()
        started.append(population(study).settings)
    assert started[0].seed != started[1].seed
    for settings in started:
        assert replace(settings, seed=0) == Settings(8, 0, None, "plain", None, PLAIN)


@pytest.mark.parametrize(("preset", "objectives"), [("paper", 1), ("random", 1), ("plain", 2)])
def test_other_searches_start_with_20_members_and_no_screening(
    preset: str, objectives: int
) -> None:
    settings = Arguments(preset=preset, seed=0).begin(1, objectives)
    assert settings == Settings(20, 0, preset=preset)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))],  # noqa: S301
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copied_sampler_continues_the_search(
    duplicate: Callable[[RelativeNASSampler], RelativeNASSampler],
) -> None:
    study = search(space=SPACE, trials=6)
    assert isinstance(study.sampler, RelativeNASSampler)
    study.sampler = duplicate(study.sampler)
    study.optimize(loss_of(SPACE), n_trials=6)
    assert scores(study) == scores(search(space=SPACE, trials=12))


def test_changing_a_space_later_does_not_change_the_sampler() -> None:
    space = dict(SPACE)
    sampler = RelativeNASSampler(space, population_size=4, seed=3, preset="paper")
    space.clear()
    study = optuna.create_study(sampler=sampler)
    study.optimize(loss_of(SPACE), n_trials=8)
    assert scores(study) == scores(search(space=SPACE, trials=8))
