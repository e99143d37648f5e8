"""Extra trials, which workers get while no seat is free."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, Seat, seat_of
from relativenas_optuna.samplers.seats.worker import this_worker
from tests.helpers.samplers.scenarios import SMALL, Place
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    bits,
    both_spaces,
    followed,
    loss,
    loss_of,
    new_sampler,
    search,
    state,
    suggest,
)


def search_by(
    workers: int, space: Space, trials: int, sampler: RelativeNASSampler, seed: int = 0
) -> optuna.Study:
    """Run a study with several trials at a time, which finish in random order."""
    random = Random(seed)
    study = optuna.create_study(sampler=sampler)
    running: list[optuna.Trial] = []
    left = trials
    while left or running:
        if left and len(running) < workers:
            running.append(study.ask())
            suggest(running[-1], space)
            left -= 1
        else:
            trial = running.pop(random.randrange(len(running)))
            study.tell(trial, loss(trial.params, space))
    return study


def architectures(study: optuna.Study) -> list[str]:
    return [repr(sorted(trial.params.items())) for trial in study.trials]


def repeats(study: optuna.Study) -> int:
    return len(study.trials) - len(set(architectures(study)))


def extras_of(study: optuna.Study) -> tuple[int, ...]:
    view = SearchView.of(study)
    assert view is not None
    return view.extras


@given(
    space=st.sampled_from([SPACE, None]),
    size=st.sampled_from([2, 4, 8]),
    workers=st.integers(1, 8),
    seed=st.integers(0, 999),
)
@settings(max_examples=5)
def test_extra_trials_do_not_change_the_populations(
    space: Space | None, size: int, workers: int, seed: int
) -> None:
    study = search_by(workers, SPACE, 32, new_sampler(space, size, "plain"), seed)
    undisturbed = search_by(1, SPACE, 32, new_sampler(space, size, "plain"))
    found, expected = bits(followed(study)), state(undisturbed)
    assert state(study) == found
    learned = [bool(generation.learned.all()) for generation in followed(study).generations]
    complete = learned.index(False)
    assert found[:complete] == expected[:complete]
    seats = [seat_of(trial) for trial in study.trials]
    assert extras_of(study) == tuple(n for n, seat in enumerate(seats) if seat is None)
    assert extras_of(undisturbed) == ()
    assert repeats(study) <= 2


@pytest.mark.parametrize("workers", [1, 4, 8])
def test_few_trials_of_an_infinite_space_repeat(workers: int) -> None:
    found = architectures(search_by(workers, SPACE, 100, RelativeNASSampler(seed=0)))
    assert len(set(found[:48])) >= 0.95 * 48
    assert len(set(found)) >= 95


def test_threads_on_a_database_repeat_few_trials() -> None:
    place = Place("sqlite")
    study = optuna.create_study(storage=place.open(), sampler=RelativeNASSampler(seed=0))
    study.optimize(loss_of(SPACE), n_trials=24, n_jobs=4)
    assert repeats(study) <= 1
    place.close()


@pytest.mark.parametrize("preset", ["paper", "random"])
def test_other_presets_make_no_extra_trials(preset: str) -> None:
    study = search_by(8, SPACE, 30, new_sampler(SPACE, 2, preset))
    assert extras_of(study) == ()
    assert repeats(study) > 5


@both_spaces
def test_a_seat_never_reported_is_given_out_again(space: Space | None) -> None:
    study = optuna.create_study(sampler=new_sampler(space, 4, "plain"))
    abandoned = study.ask()
    suggest(abandoned, SPACE)
    study.optimize(loss_of(SPACE), n_trials=60)
    again = [trial for trial in study.trials if seat_of(trial) == Seat(0, 0)]
    assert [trial.number for trial in again] == [0, 17]  # after 4 * 4 younger trials
    assert again[1].params == abandoned.params
    assert max(extras_of(study)) < 17
    undisturbed = search(space=space, trials=40, preset="plain")
    assert state(study)[:8] == state(undisturbed)[:8]


@both_spaces
def test_extra_trials_in_a_finite_space_are_new_while_possible(space: Space | None) -> None:
    known = None if space is None else SMALL
    study = search_by(4, SMALL, 70, new_sampler(known, 4, "plain"), seed=1)
    found = architectures(study)
    # The first extra trials of a learned space are drawn by name undisturbed.
    late = [n for n in extras_of(study) if known is not None or n > 12]
    for number in late:
        left = 30 - len(set(found[:number]))
        assert left == 0 or found[number] not in found[:number]
    assert len(set(found)) == 30


def test_extra_trials_with_several_objectives_are_moves() -> None:
    study = optuna.create_study(
        directions=["minimize", "maximize"], sampler=new_sampler(None, 4, "plain", seed=1)
    )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        params = suggest(trial, SPACE)
        return loss(params, SPACE), params["x"]

    for _ in range(12):
        for trial in [study.ask() for _ in range(6)]:
            study.tell(trial, objective(trial))
    found, extras = architectures(study), extras_of(study)
    assert len(extras) > 20
    assert all(found[number] not in found[:number] for number in extras)


def test_another_process_can_finish_an_extra_trials_parameters() -> None:
    study = search_by(4, SPACE, 30, new_sampler(SPACE, 4, "plain"))
    asked = [study.ask() for _ in range(6)]
    extra = next(trial for trial in asked if seat_of(trial) is None)
    x = extra.suggest_float("x", -1, 1)
    study.sampler = new_sampler(SPACE, 4, "plain")
    taken = optuna.Trial(study, extra._trial_id)
    assert suggest(taken, SPACE)["x"] == x
    assert seat_of(taken) is None


@pytest.mark.filterwarnings("ignore:1 of the study's trials|2 of the study's trials")
@pytest.mark.parametrize(
    "claim",
    [
        {"extra": True},
        {"extra": "yes"},
        {"extra": True, "worker": 7},
        {"extra": True, "worker": {}, "generation": 0, "seat": 1},
        {"extra": True, "worker": {}, "signed": "never"},
    ],
)
def test_extra_claims_of_any_kind_leave_the_population_alone(claim: dict[str, Any]) -> None:
    study = optuna.create_study(sampler=new_sampler(SPACE, 4, "plain"))
    study.optimize(loss_of(SPACE), n_trials=2)
    text = json.dumps({"worker": this_worker()} | claim)
    for ends in (True, False):
        other = study._storage.create_new_trial(study._study_id)
        study._storage.set_trial_system_attr(other, CLAIM_KEY, text)
        if ends:
            study._storage.set_trial_state_values(other, TrialState.COMPLETE, [-1e9])
    study.optimize(loss_of(SPACE), n_trials=20)
    undisturbed = search(space=SPACE, trials=22, preset="plain")
    assert state(study)[:4] == state(undisturbed)[:4]
    assert study.best_value == -1e9
