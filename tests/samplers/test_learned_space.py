"""A search space that is only learned from the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from relativenas_optuna.samplers.claims import Seat, seat_of
from relativenas_optuna.samplers.draws import uniform
from tests.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    loss,
    population,
    search,
    suggest,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def test_the_first_generation_of_a_learned_space_is_drawn_per_seat_and_name() -> None:
    study = search(space={"x": SPACE["x"]}, trials=1)  # any: draws depend on the seed alone
    study = search(space=None, trials=4)
    for number, trial in enumerate(study.trials):
        assert trial.params["x"] == -1 + 2 * uniform(3, 0, number, "x")


def test_the_learned_space_is_common_to_all_complete_trials_so_far() -> None:
    late = {"x": SPACE["x"], "op": SPACE["op"]}

    def objective(trial: optuna.Trial) -> float:
        seat = seat_of(trial)
        assert seat is not None
        space = SPACE if seat < Seat(1, 3) else late
        if seat == Seat(0, 1):
            suggest(trial, {"x": SPACE["x"]})
            raise optuna.TrialPruned  # asks for little, but is not complete
        return loss(suggest(trial, space), space)

    study = search(space=None, trials=20, objective=objective)
    found = population(study).generations
    spaces = [list(g.encoding.space) for g in found if g.encoding is not None]
    # A generation that is complete has taken the space that it showed; it goes on with it.
    assert spaces == [sorted(SPACE), *[["op", "x"]] * (len(found) - 1)]
    for generation in found[:5]:
        assert generation.encoding is not None
        for number in range(4):
            trial = found_trial(study, Seat(generation.index, number))
            decoded = generation.encoding.decode(generation.positions[generation.member(number)])
            shown = {name: decoded[name] for name in ("x", "op") if name in trial.params}
            assert shown == {name: trial.params[name] for name in shown}


def found_trial(study: optuna.Study, seat: Seat) -> FrozenTrial:
    trial = population(study).counted(seat)
    assert trial is not None
    return trial


def test_a_parameter_whose_range_changes_is_no_longer_learned() -> None:
    def objective(trial: optuna.Trial) -> float:
        wide = 1.0 if trial.number < 6 else 2.0
        return trial.suggest_float("x", -wide, wide) + trial.suggest_float("y", 0, 1)

    study = search(space=None, trials=12, objective=objective)
    encodings = [g.encoding for g in population(study).generations]
    assert [sorted(e.space) for e in encodings if e is not None] == [
        ["x", "y"],
        ["y"],
        ["y"],
        ["y"],
    ]
    assert all(-2 <= t.params["x"] <= 2 for t in study.trials)


def test_without_a_complete_trial_a_generation_is_drawn_like_the_first() -> None:
    def objective(trial: optuna.Trial) -> float:
        value = OBJECTIVE(trial)
        if trial.number < 8:
            raise optuna.TrialPruned
        return value

    study = search(space=None, trials=16, objective=objective)
    found = population(study).generations
    assert [g.encoding is None for g in found] == [True, True, False, False, False]
    for number in range(12):
        x = uniform(3, number // 4, number % 4, "x")
        assert study.trials[number].params["x"] == -1 + 2 * x


def test_names_of_a_known_space_keep_their_order_and_those_of_a_learned_one_are_sorted() -> None:
    space: Space = {
        "z": FloatDistribution(0, 1),
        "a": CategoricalDistribution("ab"),
        "m": FloatDistribution(0, 1),
    }

    def objective(trial: optuna.Trial) -> float:
        return loss(suggest(trial, space), space)

    for given_space, names in ((space, ["z", "a", "m"]), (None, ["a", "m", "z"])):
        study = search(space=given_space, trials=5, objective=objective)
        encoding = population(study).generations[0].encoding
        assert encoding is not None
        assert list(encoding.space) == names


@pytest.mark.parametrize("known", [True, False])
def test_a_conditional_space_is_searched(known: bool) -> None:
    space: Space = {
        "kind": CategoricalDistribution(["deep", "wide"]),
        "layers": IntDistribution(1, 9),
        "width": FloatDistribution(0.1, 10, log=True),
    }

    def objective(trial: optuna.Trial) -> float:
        if suggest(trial, {"kind": space["kind"]})["kind"] == "deep":
            return float(suggest(trial, {"layers": space["layers"]})["layers"])
        return float(suggest(trial, {"width": space["width"]})["width"])

    study = search(space=space if known else None, trials=40, objective=objective)
    assert {seat_of(t) for t in study.trials} == {
        Seat(g, number) for g in range(10) for number in range(4)
    }
    generation = population(study).generations[3]
    assert generation.encoding is not None
    assert list(generation.encoding.space) == (list(space) if known else ["kind"])
    kinds = {t.params["kind"] for t in study.trials}
    assert kinds == {"deep", "wide"}
