"""Searches that propose no architecture twice while another one is unvisited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers.conditional_space import CONDITIONAL, conditional_loss

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


@pytest.mark.parametrize("choices", [([8], [8, 8]), ({"a": 1}, {"a": 2}), ((8,), (8, 8))])
@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution:UserWarning")
@pytest.mark.parametrize("url", ["sqlite", None])
def test_choices_of_any_kind_are_searched(
    choices: tuple[Any, ...], url: str | None, tmp_path: Path
) -> None:
    if url is not None and isinstance(choices[0], tuple):
        return  # Optuna itself reads lists there and rejects tuples
    storage = url and f"sqlite:///{tmp_path / 'x.db'}"
    sampler = RelativeNASSampler(population_size=2, seed=0)
    study = optuna.create_study(sampler=sampler, storage=storage)
    study.optimize(
        lambda trial: len(trial.suggest_categorical("h", choices)) + trial.suggest_int("k", 0, 1),
        n_trials=9,
    )
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 9
    assert len({repr(trial.params) for trial in study.trials}) == 4


@pytest.mark.parametrize("choices", [["a", "a", "b"], [0, False, "b"], [1, 1.0, 2], [2, 1, 1.0]])
def test_equal_choices_count_once(choices: list[Any]) -> None:
    space = {"c": CategoricalDistribution(choices), "k": IntDistribution(0, 2)}
    assert Encoding.of(space).size == 6
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=2, seed=1))
    study.optimize(
        lambda trial: (
            0.0 * trial.suggest_int("k", 0, 2) * len(str(trial._suggest("c", space["c"])))
        ),
        n_trials=20,
    )
    assert len({(trial.params["c"], trial.params["k"]) for trial in study.trials}) == 6


def test_rounding_does_not_split_a_value_of_a_stepped_float() -> None:
    space = {"x": FloatDistribution(0, 1, step=0.1)}
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=2, seed=1))
    for x in (0.3, 0.6, 0.7):  # 0.1 * 3 != 0.3
        study.enqueue_trial({"x": x})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1, step=0.1), n_trials=20)
    assert {round(trial.params["x"], 1) for trial in study.trials} == {k / 10 for k in range(11)}


@pytest.mark.parametrize("space", [CONDITIONAL, None], ids=["known", "learned"])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("objectives", [1, 2])
def test_a_conditional_space_is_exhausted_before_anything_repeats(
    space: dict[str, BaseDistribution] | None, size: int, objectives: int
) -> None:
    """With two objectives there is no screening of moves."""
    sampler = RelativeNASSampler(space, population_size=size, seed=0, preset="plain")
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)

    def objective(trial: optuna.Trial) -> list[float]:
        return [conditional_loss(trial), *[1.0] * (objectives - 1)]

    study.optimize(objective, n_trials=40)
    generation_of: dict[tuple[Any, ...], int] = {}
    for trial in study.trials:
        seat = seat_of(trial)
        assert seat is not None
        key = tuple(sorted(trial.params.items()))
        before = {known for known, first in generation_of.items() if first <= seat.generation - 2}
        if seat.generation > 3 and len(before) < 11:  # the sampler knows all parameters
            assert key not in before
        generation_of.setdefault(key, seat.generation)
    assert len(generation_of) == 11


def test_architectures_without_floats_do_not_repeat_in_infinite_spaces() -> None:
    def objective(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("kind", ["float", "int"]) == "int":
            return trial.suggest_int("n", 0, 2) / 100
        return 1 + trial.suggest_float("x", 0, 1)

    study = optuna.create_study(sampler=RelativeNASSampler(population_size=4, seed=0))
    study.optimize(objective, n_trials=40)
    numbers = [trial.params["n"] for trial in study.trials if "n" in trial.params]
    assert set(numbers) == {0, 1, 2}
    assert len(numbers) <= 8
