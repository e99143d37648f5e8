"""Attributes of trials in `study.trials_dataframe()`."""

from __future__ import annotations

import json

import optuna
from optuna.distributions import CategoricalDistribution

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.samplers.relative_nas.settings import Settings
from relativenas_optuna.samplers.seats.claims import Claim, Seat
from relativenas_optuna.storages.interruption import mark_interrupted
from tests.helpers.samplers.searches import SPACE, loss, suggest


def test_no_attribute_of_a_trial_is_a_list_or_a_dictionary() -> None:
    """`trials_dataframe().drop_duplicates()` needs values that can be hashed."""
    sampler = RelativeNASSampler(SPACE, population_size=4, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: loss(suggest(trial, SPACE), SPACE), n_trials=6)
    mark_interrupted(study._storage, study.ask()._trial_id)
    sampler.ask_generation(study)  # with reserved seats
    sampler.enqueue_generation(study)
    values = [v for t in study.trials for v in (t.system_attrs | t.user_attrs).values()]
    assert {type(value) for value in values} <= {str, int, float, type(None)}


def test_a_large_search_space_is_split_for_mysql() -> None:
    space = {
        f"v{i}": CategoricalDistribution(['"' * 200 + f"ä{choice}" for choice in range(40)])
        for i in range(12)
    }
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=4, seed=0))
    study.ask()
    attributes = study.trials[0].system_attrs
    assert len(attributes) > 4
    assert max(len(json.dumps(value)) for value in attributes.values()) < 65_535
    claim = Claim.read(attributes)
    assert claim is not None
    assert claim.settings is not None
    assert claim.seat == Seat(0, 0)
    assert Settings.from_json(claim.settings).space == space
