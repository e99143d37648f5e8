"""Replays: whatever the order in which trials are read, the population is one."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.claims import Claim, Seat
from relativenas_optuna.samplers.generations import Population
from relativenas_optuna.samplers.settings import SettingsError
from relativenas_optuna.samplers.worker import this_worker
from tests.samplers.searches import (
    SPACE,
    Space,
    ask,
    begin,
    bits,
    both_spaces,
    followed,
    population,
    state,
    step,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def scrambled(space: Space | None, seed: int, trials: int) -> optuna.Study:
    """A study whose trials overlap, double, fail and are pruned, with values from a dice."""
    random = Random(seed)
    study = begin(space)
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
    # Whoever followed it, and whoever reads it at once, see the same.
    study.sampler = follower
    return study


@both_spaces
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_every_order_of_reading_the_trials_gives_one_population(
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
    replayed = Population(followed(study).settings, maximize=False)
    for trial, claim in entries:
        replayed.add(trial, claim)
        if order.random() < 0.5:
            replayed.advance()
    replayed.advance()
    assert bits(replayed) == expected


@pytest.mark.parametrize(
    "late", [{"seed": 9}, {"space": dict(reversed(SPACE.items()))}], ids=",".join
)
def test_the_lowest_numbered_settings_count_however_late_they_come(late: dict[str, Any]) -> None:
    study = begin(SPACE)
    lowest = study._storage.create_new_trial(study._study_id)
    for _ in range(6):
        step(study)
    first = replace(followed(study).settings, **late)
    Claim(Seat(0, 0), this_worker(), first).write(study._storage, lowest)
    for found in (followed(study), population(study)):
        assert found.settings.to_json() == first.to_json()
        assert bits(found) == state(study)
    with pytest.raises(SettingsError):
        study.ask()
