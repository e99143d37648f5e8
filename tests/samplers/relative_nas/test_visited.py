"""Visited architectures, and proposals of unvisited ones."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from relativenas_optuna.samplers.encoding import Encoding
from relativenas_optuna.samplers.relative_nas.visited import VisitedArchitectures, propose_unvisited
from tests.helpers.samplers.conditional_space import CONDITIONAL
from tests.helpers.samplers.relative_nas_reference import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

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


def propose(
    start: Vector,
    record: VisitedArchitectures,
    rule: Callable[[Vector, Vector], Vector] | None = None,
    *,
    generation: int = 0,
    seed: int = 0,
) -> Vector:
    """Propose an unvisited position; without a learning rule, redraws stay at `start`."""
    return propose_unvisited(
        record._encoding,
        start,
        redraw=rule or (lambda l1, l2: start.copy()),
        visited=record,
        generation=generation,
        random=np.random.default_rng(seed),
    )


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
        anywhere = lambda l1, l2: encoding.low + l1 * (encoding.high - encoding.low)  # noqa: E731
        rule = anywhere if follows else None
        found = [propose(start, record, rule, generation=last, seed=seed) for _ in range(2)]
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

    position = propose(start, record, near)
    assert position.tolist() == (start + 1).tolist()
    assert len(asked) == 3
    assert all(draw.min() >= 0 and draw.max() < 1 for both in asked for draw in both)
    assert (propose(start, record) != start).sum() == 1


def test_the_last_unvisited_architecture_is_found() -> None:
    space: dict[str, BaseDistribution] = {
        f"p{i}": CategoricalDistribution([*range(4)]) for i in range(5)
    }
    encoding, last = Encoding.of(space), (3, 2, 1, 0, 3)
    record = VisitedArchitectures(encoding)
    for values in product(range(4), repeat=5):
        if values != last:
            recorded(encoding, dict(zip(space, values, strict=True)), 0, record)
    position = propose(np.full(5, 0.5), record)
    assert tuple(decoded(space, position).values()) == last


def test_a_visited_architecture_covers_all_values_it_did_not_suggest() -> None:
    encoding = Encoding.of(CONDITIONAL)
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
        position = propose(start, record, seed=seed)
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
