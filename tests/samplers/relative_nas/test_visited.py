"""Visited architectures, and proposals of unvisited ones."""

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
from relativenas_optuna.samplers.relative_nas.visited import VisitedArchitectures, propose_unvisited
from relativenas_optuna.samplers.seats.claims import seat_of
from tests.helpers.samplers.relative_nas_reference import decoded

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


def recorded(
    encoding: Encoding, params: dict[str, Any], generation: int, record: VisitedArchitectures
) -> None:
    """Add a trial with these parameters, at the lowest position that has them."""
    distributions = {name: encoding.space[name] for name in params}
    position = encoding.position_of(params, encoding.low)
    record.add(scored(distributions, params), generation, position)


def keep(start: Vector) -> Any:
    """Return a learning rule that ignores its random weights and stays at a position."""
    return lambda l1, l2: start.copy()


@given(
    names=spaces,
    generations=st.dictionaries(st.integers(0, 44), st.integers(0, 4)),
    place=st.floats(0, 1),
    seed=st.integers(0, 99),
    follows=st.booleans(),
)
def test_proposals_are_unvisited_and_deterministic(
    names: list[str], generations: dict[int, int], place: float, seed: int, follows: bool
) -> None:
    space = {name: KINDS[name][0] for name in names}
    encoding = Encoding.of(space)
    every = list(product(*(KINDS[name][1] for name in names)))
    known: dict[tuple[Any, ...], int] = {}
    record = VisitedArchitectures(encoding)
    for number, generation in sorted(generations.items(), key=lambda item: item[1]):
        known.setdefault(every[number % len(every)], generation)
        params = dict(zip(names, every[number % len(every)], strict=True))
        recorded(encoding, params, generation, record)
    for last in range(-1, 5):
        taken = {key for key, generation in known.items() if generation <= last}
        assert record.all_visited(last) == (len(taken) == len(every))
        start = encoding.low + place * (encoding.high - encoding.low)
        assert record.is_visited(start, last) == (tuple(decoded(space, start).values()) in taken)
        if len(taken) == len(every):
            continue
        rule = (
            (lambda l1, l2: encoding.low + l1 * (encoding.high - encoding.low))
            if follows
            else (keep(start))
        )
        found = [
            propose_unvisited(
                encoding,
                start,
                redraw=rule,
                visited=record,
                generation=last,
                random=np.random.default_rng(seed),
            )
            for _ in range(2)
        ]
        assert found[0].tolist() == found[1].tolist()
        assert tuple(decoded(space, found[0]).values()) not in taken
        assert ((found[0] >= encoding.low) & (found[0] <= encoding.high)).all()


def test_the_learning_rule_is_redrawn_before_variables() -> None:
    space: dict[str, BaseDistribution] = {
        f"p{i}": CategoricalDistribution([*range(9)]) for i in range(20)
    }
    encoding = Encoding.of(space)
    start, record = np.full(20, 4.5), VisitedArchitectures(encoding)
    recorded(encoding, decoded(space, start), 0, record)
    asked = []

    def near(l1: Vector, l2: Vector) -> Vector:
        asked.append((l1, l2))
        return start if len(asked) < 3 else start + 1

    random = np.random.default_rng(0)
    taken: Any = {"visited": record, "generation": 0, "random": random}
    position = propose_unvisited(encoding, start, redraw=near, **taken)
    assert position.tolist() == (start + 1).tolist()
    assert len(asked) == 3
    assert all(draw.min() >= 0 and draw.max() < 1 for both in asked for draw in both)
    stuck = propose_unvisited(encoding, start, redraw=keep(start), **taken)
    assert (stuck != start).sum() == 1


def test_the_last_unvisited_architecture_is_found() -> None:
    space: dict[str, BaseDistribution] = {
        f"p{i}": CategoricalDistribution([*range(4)]) for i in range(5)
    }
    encoding, last = Encoding.of(space), (3, 2, 1, 0, 3)
    record = VisitedArchitectures(encoding)
    for values in product(range(4), repeat=5):
        if values != last:
            recorded(encoding, dict(zip(space, values, strict=True)), 0, record)
    start = np.full(5, 0.5)
    position = propose_unvisited(
        encoding,
        start,
        redraw=keep(start),
        visited=record,
        generation=0,
        random=np.random.default_rng(0),
    )
    assert tuple(decoded(space, position).values()) == last


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


def of_the_kind(trial: optuna.Trial) -> float:
    """Suggest one of two parameters, and for one of its values a third one."""
    kind = str(trial.suggest_categorical("kind", ["x", "n", "none"]))
    if kind == "none":
        return 5.0
    value = trial.suggest_int(kind, 0, 3)
    return float(value + (trial.suggest_int("more", 0, 2) if (kind, value) == ("n", 1) else 0))


OF_THE_KIND: dict[str, BaseDistribution] = {
    "kind": CategoricalDistribution(["x", "n", "none"]),
    "x": IntDistribution(0, 3),
    "n": IntDistribution(0, 3),
    "more": IntDistribution(0, 2),
}


@pytest.mark.parametrize("space", [OF_THE_KIND, None], ids=["known", "learned"])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("objectives", [1, 2])
def test_a_conditional_space_is_exhausted_before_anything_repeats(
    space: dict[str, BaseDistribution] | None, size: int, objectives: int
) -> None:
    """With two objectives there is no screening of moves."""
    sampler = RelativeNASSampler(space, population_size=size, seed=0, preset="plain")
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)

    def objective(trial: optuna.Trial) -> list[float]:
        return [of_the_kind(trial), *[1.0] * (objectives - 1)]

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


def test_a_visited_architecture_covers_all_values_it_did_not_suggest() -> None:
    encoding = Encoding.of(OF_THE_KIND)
    record = VisitedArchitectures(encoding)
    recorded(encoding, {"kind": "none"}, 0, record)
    recorded(encoding, {"kind": "x", "x": 1}, 0, record)
    recorded(encoding, {"kind": "n", "n": 0}, 1, record)
    recorded(encoding, {"kind": "n", "n": 1, "more": 2}, 1, record)

    def taken(generation: int) -> list[dict[str, Any]]:
        positions = product((0.5, 1.5, 2.5), (0.5, 1.5, 2.5, 3.5), (0.5, 1.5, 2.5), (0.5, 2.5))
        every = [np.array(position) for position in positions]
        return [encoding.decode(x) for x in every if record.is_visited(x, generation)]

    assert len(taken(0)) == 4 * 3 * 2 + 3 * 2
    more = [params for params in taken(1) if params not in taken(0)]
    assert len(more) == 4 * 2 + 4
    assert all(params["kind"] == "n" for params in more)
    for x in range(4):
        recorded(encoding, {"kind": "x", "x": x}, 2, record)
    for n, names in ((2, {}), (3, {}), (1, {"more": 0})):
        recorded(encoding, {"kind": "n", "n": n, **names}, 2, record)
    assert not record.all_visited(2)
    found = record.first_unvisited(encoding.low, 2)
    assert found is not None
    assert (found[0], found[2], found[3]) == (1, 1, 1)  # the only one left
    recorded(encoding, {"kind": "n", "n": 1, "more": 1}, 3, record)
    assert record.all_visited(3)
    assert not record.all_visited(2)


def test_ambiguous_trials_cover_only_their_own_position() -> None:
    space: dict[str, BaseDistribution] = {
        "a": IntDistribution(0, 2),
        "late": IntDistribution(0, 2),
    }
    encoding = Encoding.of(space)
    record = VisitedArchitectures(encoding)
    recorded(encoding, {"a": 0}, 0, record)
    others = [np.array([0.5, x]) for x in (1.5, 2.5)]
    assert all(record.is_visited(x, 0) for x in others)
    recorded(encoding, {"a": 0, "late": 1}, 1, record)  # the objective has changed
    assert [record.is_visited(x, 1) for x in others] == [True, False]
    assert record.first_unvisited(others[0], 1) is not None
    for a, late in product(range(3), range(3)):
        assert not record.all_visited(2)
        recorded(encoding, {"a": a, "late": late}, 2, record)
        record.is_visited(others[0], -1)  # counts again from the start
    assert record.all_visited(2)


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


def test_almost_all_of_an_infinite_space_may_be_visited() -> None:
    """Only the last choice has a float; redraws rarely choose it."""
    space: dict[str, BaseDistribution] = {
        "op": CategoricalDistribution(list(range(100))),
        "x": FloatDistribution(0, 1),
    }
    encoding = Encoding.of(space)
    record, start = VisitedArchitectures(encoding), np.array([0.5, 0.5])
    for op in range(99):
        recorded(encoding, {"op": op}, 0, record)
    for seed in range(5):
        position = propose_unvisited(
            encoding,
            start,
            redraw=keep(start),
            visited=record,
            generation=0,
            random=np.random.default_rng(seed),
        )
        assert ((position >= encoding.low) & (position <= encoding.high)).all()


def test_an_invalid_value_counts_as_the_proposed_one() -> None:
    record = VisitedArchitectures(Encoding.of({"c": CategoricalDistribution(["a", "b"])}))
    elsewhere: dict[str, BaseDistribution] = {"c": CategoricalDistribution(["a", "z"])}
    record.add(scored(elsewhere, {"c": "z"}), 0, np.array([1.5]))
    assert [record.is_visited(np.array([x]), 0) for x in (0.5, 1.5)] == [False, True]


def test_a_trial_with_further_parameters_is_another_architecture() -> None:
    space: dict[str, BaseDistribution] = {"i": IntDistribution(0, 1)}
    record = VisitedArchitectures(Encoding.of(space))
    position = np.array([0.5])
    more = space | {"more": IntDistribution(0, 1)}
    record.add(scored(more, {"i": 0, "more": 1}), 0, position)
    assert not record.is_visited(position, 0)
    single = space | {"one": IntDistribution(7, 7)}
    record.add(scored(single, {"i": 0, "one": 7}), 1, position)
    assert not record.is_visited(position, 0)
    assert record.is_visited(position, 1)
