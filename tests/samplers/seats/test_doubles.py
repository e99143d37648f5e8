"""Replays: the population does not depend on the order of the trials."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.exceptions import SettingsError
from relativenas_optuna.samplers.relative_nas.population import PairedPopulation
from relativenas_optuna.samplers.seats.claims import CLAIM_KEY, Claim, Seat
from relativenas_optuna.samplers.seats.worker import this_worker
from tests.helpers.samplers.rival_storage import RivalStorage
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    ask,
    bits,
    both_spaces,
    empty_study,
    followed,
    new_sampler,
    population,
    state,
    step,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def scrambled(space: Space | None, seed: int, trials: int) -> optuna.Study:
    """Return a study with overlapping, double, failed and pruned trials of random values."""
    random = Random(seed)
    study = empty_study(space)
    follower = RelativeNASSampler(population_size=4)
    running: list[optuna.Trial] = []
    while len(study.trials) < trials or running:
        if len(study.trials) < trials and random.random() < 0.6:
            running.append(ask(study)[0])
        elif running:
            trial = running.pop(random.randrange(len(running)))
            kind = random.random()
            if kind < 0.2:
                study.tell(trial, state=TrialState.FAIL)
            elif kind < 0.4:
                trial.report(random.random(), step=random.randrange(3))
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, random.randrange(4))
        if random.random() < 0.3:
            follower.population(study)
    # A process that followed the study and a new one see the same.
    study.sampler = follower
    return study


@both_spaces
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_any_order_of_trials_gives_the_same_population(
    space: Space | None, seed: int, order: Random
) -> None:
    study = scrambled(space, seed, trials=30)
    expected = state(study)
    assert bits(followed(study)) == expected
    entries: list[tuple[FrozenTrial, Claim]] = []
    for trial in study.trials:
        claim = Claim.read(trial.system_attrs)
        assert claim is not None
        entries.append((trial, claim))
    order.shuffle(entries)
    replayed = PairedPopulation(followed(study).settings, study.directions)
    for trial, claim in entries:
        assert claim.seat is not None
        replayed.add(trial, claim.seat)
        if order.random() < 0.5:
            replayed.advance()
    replayed.advance()
    assert bits(replayed) == expected


@pytest.mark.parametrize(
    "late", [{"seed": 9}, {"space": dict(reversed(SPACE.items()))}], ids=",".join
)
def test_settings_of_the_lowest_number_count_even_if_late(late: dict[str, Any]) -> None:
    study = empty_study(SPACE)
    lowest = study._storage.create_new_trial(study._study_id)
    for _ in range(6):
        step(study)
    first = replace(followed(study).settings, **late)
    claim = Claim(Seat(0, 0), this_worker(), "RelativeNASSampler", first.to_json())
    claim.write(study._storage, lowest)
    for found in (followed(study), population(study)):
        assert found.settings.to_json() == first.to_json()
        assert bits(found) == state(study)
    with pytest.raises(SettingsError):
        study.ask()


@pytest.mark.parametrize(
    ("arriving", "first", "later"), [(0, 0, 1), (1, 1, 2), (2, 2, 3), (5, 1, 3)]
)
def test_a_trial_leaves_a_free_seat_for_each_arriving_one(
    arriving: int, first: int, later: int
) -> None:
    for begun, number in ((0, first), (1, later)):
        study = empty_study(SPACE)
        for _ in range(begun):
            ask(study)
        for _ in range(arriving):
            study._storage.create_new_trial(study._study_id)
        assert ask(study)[1] == Seat(0, number)


def test_a_trial_gives_way_to_a_simultaneous_claim_of_a_lower_number() -> None:
    storage = RivalStorage()
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    assert ask(study)[1] == Seat(0, 0)
    storage.rival = storage.create_new_trial(study._study_id)
    # Behind one arriving trial the second free seat is taken: the rival's.
    # The second choice is from the end, since those who do not check take the first seats.
    assert ask(study)[1] == Seat(0, 3)
    assert [claim.seat.number for claim in map(claim_of, study.trials) if claim.seat] == [0, 2, 3]


def claim_of(trial: FrozenTrial) -> Claim:
    claim = Claim.read(trial.system_attrs)
    assert claim is not None
    return claim


@pytest.mark.parametrize(
    "claim", [None, {}, [1], "x", 7, {"generation": "a", "seat": 0, "worker": {}}, {"seat": 0}]
)
def test_an_unreadable_claim_is_ignored(claim: Any) -> None:
    study = empty_study(SPACE)
    for _ in range(2):
        step(study)
    other = study._storage.create_new_trial(study._study_id)
    study._storage.set_trial_system_attr(other, CLAIM_KEY, json.dumps(claim))
    with pytest.warns(UserWarning, match=r"1 of the study's trials \(number 2\) have a claim"):
        optuna.Trial(study, other).suggest_float("x", -1, 1)
    for _ in range(8):
        step(study)
    assert population(study).scored_seats(2) == 8


class OtherClock(InMemoryStorage):
    """A storage whose clock is hours behind: another time zone, or summer time."""

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id = super().create_new_trial(study_id, template_trial)
        trial = self._get_trial(trial_id)
        assert trial.datetime_start is not None
        trial.datetime_start -= timedelta(hours=9)
        return trial_id


def test_the_age_of_a_trial_does_not_depend_on_its_clock() -> None:
    storage = OtherClock()
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    assert ask(study)[1] == Seat(0, 0)
    arriving = storage.create_new_trial(study._study_id)
    assert ask(study)[1] == Seat(0, 2)
    assert storage.get_trial(arriving).state == TrialState.RUNNING
