"""What was scored, and positions around it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.repeats import Scored, around
from tests.samplers.reference import decoded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

KINDS: dict[str, tuple[BaseDistribution, list[Any]]] = {
    "c": (CategoricalDistribution(["a", None, 2]), ["a", None, 2]),
    "log": (IntDistribution(1, 5, log=True), [1, 2, 3, 4, 5]),
    "i": (IntDistribution(-4, 4, step=4), [-4, 0, 4]),
    "f": (FloatDistribution(0.0, 0.5, step=0.25), [0.0, 0.25, 0.5]),
}
spaces = st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True)


def scored(space: dict[str, BaseDistribution], params: dict[str, Any]) -> optuna.trial.FrozenTrial:
    return optuna.create_trial(value=0.0, params=params, distributions=space)


def keep(start: Vector) -> Any:
    """A learning rule that leads to the same position whatever is drawn."""
    return lambda l1, l2: start.copy()


@given(
    names=spaces,
    generations=st.dictionaries(st.integers(0, 44), st.integers(0, 4)),
    place=st.floats(0, 1),
    seed=st.integers(0, 99),
    follows=st.booleans(),
)
def test_around_what_is_taken_there_is_what_is_not(
    names: list[str], generations: dict[int, int], place: float, seed: int, follows: bool
) -> None:
    space = {name: KINDS[name][0] for name in names}
    encoding = Encoding.of(space)
    every = list(product(*(KINDS[name][1] for name in names)))
    known: dict[tuple[Any, ...], int] = {}
    record = Scored(encoding)
    for number, generation in sorted(generations.items(), key=lambda item: item[1]):
        known.setdefault(every[number % len(every)], generation)
        params = dict(zip(names, every[number % len(every)], strict=True))
        record.add(scored(space, params), generation)
    for last in range(-1, 5):
        taken = {key for key, generation in known.items() if generation <= last}
        assert record.all_taken(last) == (len(taken) == len(every))
        start = encoding.low + place * (encoding.high - encoding.low)
        assert record.is_taken(start, last) == (tuple(decoded(space, start).values()) in taken)
        if len(taken) == len(every):
            continue
        rule = (
            (lambda l1, l2: encoding.low + l1 * (encoding.high - encoding.low))
            if follows
            else (keep(start))
        )
        found = [
            around(
                encoding,
                start,
                redraw=rule,
                is_taken=lambda x, last=last: record.is_taken(x, last),  # type: ignore[misc]
                random=np.random.default_rng(seed),
            )
            for _ in range(2)
        ]
        assert found[0].tolist() == found[1].tolist()
        assert tuple(decoded(space, found[0]).values()) not in taken
        assert ((found[0] >= encoding.low) & (found[0] <= encoding.high)).all()


def test_the_learning_rule_is_asked_first_and_then_few_variables_change() -> None:
    space: dict[str, BaseDistribution] = {
        f"p{i}": CategoricalDistribution([*range(9)]) for i in range(20)
    }
    encoding = Encoding.of(space)
    start = np.full(20, 4.5)
    only = tuple(decoded(space, start).values())

    def is_taken(x: Vector) -> bool:
        return tuple(decoded(space, x).values()) == only

    asked = []

    def near(l1: Vector, l2: Vector) -> Vector:
        asked.append((l1, l2))
        return start if len(asked) < 3 else start + 1

    random = np.random.default_rng(0)
    position = around(encoding, start, redraw=near, is_taken=is_taken, random=random)
    assert position.tolist() == (start + 1).tolist()
    assert len(asked) == 3
    assert all(draw.min() >= 0 and draw.max() < 1 for both in asked for draw in both)
    stuck = around(encoding, start, redraw=keep(start), is_taken=is_taken, random=random)
    assert (stuck != start).sum() == 1


def test_the_last_architecture_of_a_large_space_is_found() -> None:
    space: dict[str, BaseDistribution] = {
        f"p{i}": CategoricalDistribution([*range(6)]) for i in range(5)
    }
    encoding = Encoding.of(space)
    start = np.full(5, 0.5)
    position = around(
        encoding,
        start,
        redraw=keep(start),
        is_taken=lambda x: tuple(decoded(space, x).values()) != (5, 4, 3, 2, 1),
        random=np.random.default_rng(0),
    )
    assert list(decoded(space, position).values()) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("choices", [([8], [8, 8]), ({"a": 1}, {"a": 2}), ((8,), (8, 8))])
@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution:UserWarning")
@pytest.mark.parametrize("url", ["sqlite", None])
def test_choices_may_be_of_any_kind_that_optuna_takes(
    choices: tuple[Any, ...], url: str | None, tmp_path: Path
) -> None:
    if url is not None and isinstance(choices[0], tuple):
        return  # Optuna itself reads lists there, and refuses the tuples of the next trial
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
def test_equal_choices_are_one(choices: list[Any]) -> None:
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


def test_a_step_is_one_value_however_it_is_rounded() -> None:
    space = {"x": FloatDistribution(0, 1, step=0.1)}
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=2, seed=1))
    for x in (0.3, 0.6, 0.7):  # 0.1 * 3 is another float than 0.3
        study.enqueue_trial({"x": x})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1, step=0.1), n_trials=20)
    assert {round(trial.params["x"], 1) for trial in study.trials} == {k / 10 for k in range(11)}


def test_a_position_of_a_conditional_space_is_not_proposed_again() -> None:
    space: dict[str, BaseDistribution] = {
        "kind": CategoricalDistribution(["x", "n"]),
        "x": IntDistribution(0, 3),
        "n": IntDistribution(0, 3),
    }

    def objective(trial: optuna.Trial) -> float:
        kind = str(trial.suggest_categorical("kind", ["x", "n"]))
        return float(trial.suggest_int(kind, 0, 3))

    sampler = RelativeNASSampler(space, population_size=4, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    found = sampler.population(study)
    assert found is not None
    first: dict[tuple[int, ...], int] = {}
    for generation in found.generations:
        assert generation.encoding is not None
        for member in np.flatnonzero(generation.ready & ~generation.kept).tolist():
            place = generation.encoding.indices(generation.positions[member])
            left = sum(seen <= generation.index - 2 for seen in first.values()) < 32
            assert not left or first.get(place, generation.index) > generation.index - 2
            first.setdefault(place, generation.index)


def test_what_is_no_value_of_the_space_is_no_architecture_of_it() -> None:
    record = Scored(Encoding.of({"c": CategoricalDistribution(["a", "b"])}))
    elsewhere: dict[str, BaseDistribution] = {"c": CategoricalDistribution(["a", "z"])}
    record.add(scored(elsewhere, {"c": "z"}), 0)
    assert not any(record.is_taken(np.array([x]), 0) for x in (0.5, 1.5))


def test_with_parameters_beside_the_space_a_trial_is_another_architecture() -> None:
    space: dict[str, BaseDistribution] = {"i": IntDistribution(0, 1)}
    record = Scored(Encoding.of(space))
    position = np.array([0.5])
    more = space | {"more": IntDistribution(0, 1)}
    record.add(scored(more, {"i": 0, "more": 1}), 0)
    record.add(scored({}, {}), 0)
    assert not record.is_taken(position, 0)
    single = space | {"one": IntDistribution(7, 7)}
    record.add(scored(single, {"i": 0, "one": 7}), 1)
    assert not record.is_taken(position, 0)
    assert record.is_taken(position, 1)
