"""Searches whose first seats start from the trials of other samplers."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from tests.helpers.samplers.relative_nas_reference import decoded
from tests.helpers.samplers.searches import (
    OBJECTIVE,
    SPACE,
    Space,
    both_spaces,
    loss,
    loss_of,
    population,
    scored,
    search,
    seated,
    state,
    step,
    suggest,
)

both_presets = pytest.mark.parametrize("preset", ["plain", "paper"])


def warm(space: Space | None, preset: str | None = None) -> RelativeNASSampler:
    return RelativeNASSampler(space, population_size=4, seed=3, preset=preset, warm_start=True)


def searched_by_others(trials: int, **arguments: Any) -> optuna.Study:
    """Return a study that another sampler started."""
    study = optuna.create_study(sampler=RandomSampler(seed=0), **arguments)
    study.optimize(OBJECTIVE, n_trials=trials)
    return study


def best(study: optuna.Study, number: int) -> list[optuna.trial.FrozenTrial]:
    """Return the best trials of other samplers."""
    others = [t for t in study.trials if seat_of(t) is None and t.state == TrialState.COMPLETE]
    return sorted(others, key=lambda trial: (trial.values, trial.number))[:number]


@both_spaces
@both_presets
@pytest.mark.parametrize("others", [0, 1, 3, 4, 9])
def test_the_first_seats_start_from_other_samplers_best_trials(
    others: int, preset: str, space: Space | None
) -> None:
    study = searched_by_others(others)
    chosen = best(study, 4)
    study.sampler = warm(space, preset)
    study.optimize(OBJECTIVE, n_trials=8)
    ours = study.trials[others:]
    seats = [seat_of(trial) for trial in ours]
    counted = len(chosen) if preset == "plain" else 0
    assert seats[: 4 - counted] == [Seat(0, number) for number in range(counted, 4)]
    assert all(seat is not None and seat.generation > 0 for seat in seats[4 - counted :])
    if preset == "paper":  # scored again
        assert [trial.params for trial in ours[: len(chosen)]] == [t.params for t in chosen]
    # The other members start as in any search.
    cold = [trial.params for trial in search(space=space, trials=4, preset=preset).trials]
    assert [t.params for t in ours[len(chosen) - counted : 4 - counted]] == cold[len(chosen) :]
    first = population(study).generations[0]
    assert first.encoding is not None
    variables = {name: SPACE[name] for name in first.encoding.space}
    for number, trial in enumerate(chosen):
        assert decoded(variables, first.positions[first.member(number)]) == {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for name, value in trial.params.items()
        }
        if preset == "plain":
            assert first.seat_scores[number].counted == trial
    assert not first.velocities.any()


@both_spaces
@both_presets
def test_a_restarted_warm_search_equals_an_uninterrupted_one(
    preset: str, space: Space | None
) -> None:
    whole, broken = searched_by_others(6), searched_by_others(6)
    whole.sampler = warm(space, preset)
    whole.optimize(OBJECTIVE, n_trials=13)
    for number in range(13):
        broken.sampler = warm(space, preset) if number % 2 else RelativeNASSampler()
        if number == 0:
            broken.sampler = warm(space, preset)
        broken.optimize(OBJECTIVE, n_trials=1)
    assert seated(whole) == seated(broken)
    assert state(whole) == state(broken)
    view = SearchView.of(whole)
    assert view is not None
    assert view.warm_start == tuple(trial.number for trial in best(whole, 4))


def test_only_earlier_complete_trials_warm_start_a_search() -> None:
    study, other = searched_by_others(6), searched_by_others(6)
    for trial_state in (TrialState.FAIL, TrialState.PRUNED, None):
        trial = other.ask(SPACE)
        if trial_state is not None:
            other.tell(trial, state=trial_state)
    for each in (study, other):
        each.sampler = warm(SPACE)
        each.optimize(OBJECTIVE, n_trials=3)
        each.add_trial(optuna.create_trial(value=-99, params={}, distributions={}))
        each.optimize(OBJECTIVE, n_trials=6)
    assert scored(study) == scored(other)
    assert state(study) == state(other)


def test_warm_start_is_a_setting_of_the_study() -> None:
    study = searched_by_others(6)
    study.sampler = warm(SPACE)
    step(study)
    study.sampler = RelativeNASSampler(warm_start=False)
    with pytest.raises(SettingsError, match="warm_start=False"):
        study.ask()
    cold = search(space=SPACE, trials=1)
    cold.sampler = RelativeNASSampler(warm_start=True)
    with pytest.raises(SettingsError, match="warm_start=True"):
        cold.ask()


@both_presets
@given(data=st.data())
@settings(max_examples=15)
def test_a_trial_outside_the_space_is_scored_again_inside_it(
    preset: str, data: st.DataObject
) -> None:
    space: Space = {
        "x": FloatDistribution(-1, 1),
        "n": IntDistribution(0, 4, step=2),
        "c": CategoricalDistribution(["a", "b"]),
        "one": IntDistribution(7, 7),
    }
    theirs: Space = {
        "x": FloatDistribution(-9, 9),
        "n": IntDistribution(-9, 9),
        "c": CategoricalDistribution(["a", "z"]),
        "one": IntDistribution(7, 8),
    }
    study = optuna.create_study()
    for _ in range(4):
        drawn = {
            "x": data.draw(st.sampled_from([0.5, 0.75, 5.0, None])),
            "n": data.draw(st.sampled_from([2, 2, 3, -2, None])),
            "c": data.draw(st.sampled_from(["a", "a", "z", None])),
            "one": data.draw(st.sampled_from([7, 7, 8, None])),
        }
        params = {name: value for name, value in drawn.items() if value is not None}
        study.add_trial(
            optuna.create_trial(
                value=0.0, params=params, distributions={name: theirs[name] for name in params}
            )
        )
    study.sampler = warm(space, preset)
    study.optimize(loss_of(space), n_trials=12)
    found = population(study).generations[0]
    varying = {name: space[name] for name in "xnc"}
    for number, trial in enumerate(study.trials[:4]):
        fitting = {
            name: value
            for name, value in trial.params.items()
            if space[name]._contains(internal(space[name], value))
        }
        fits = fitting.keys() == space.keys()
        seat_score = found.seat_scores[number]
        assert seat_score.counted is not None
        assert (seat_score.counted.number == number) == (fits and preset == "plain")
        position = decoded(varying, found.positions[found.member(number)])
        assert position.items() <= seat_score.counted.params.items()
        assert fitting.items() <= seat_score.counted.params.items()
    assert population(study).scored_seats(2) == 8


def internal(distribution: Any, value: Any) -> float:
    if isinstance(distribution, CategoricalDistribution) and value not in distribution.choices:
        return -1.0
    return float(distribution.to_internal_repr(value))


@both_spaces
def test_several_objectives_start_from_the_least_dominated_trials(space: Space | None) -> None:
    points = [(5.0, 5.0), (1.0, 9.0), (0.0, 0.0), (4.0, 4.0), (9.0, 1.0), (6.0, 6.0)]
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=RandomSampler(seed=1))
    for point in points:
        trial = study.ask(SPACE)
        trial.set_constraint("c", float(point == (0.0, 0.0)))
        study.tell(trial, point)
    study.sampler = warm(space, "paper")
    started = []
    for _ in range(4):
        trial = study.ask()
        started.append(suggest(trial, SPACE))
        study.tell(trial, (loss(trial.params, SPACE), 0.0))
    assert started == [study.trials[n].params for n in (1, 3, 4, 0)]


def test_trials_of_other_samplers_are_not_repeated() -> None:
    space: Space = {"a": CategoricalDistribution(list("abcd")), "b": IntDistribution(0, 3)}
    study = optuna.create_study(sampler=RandomSampler(seed=2))
    study.optimize(loss_of(space), n_trials=4)
    study.sampler = warm(space)
    study.optimize(loss_of(space), n_trials=12)
    theirs = [trial.params for trial in study.trials[:4]]
    for trial in study.trials[4:]:
        seat = seat_of(trial)
        assert seat is not None
        assert seat.generation == 1 or trial.params not in theirs
