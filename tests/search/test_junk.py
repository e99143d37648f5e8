"""Junk in a study's attributes ends no search and changes no result."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.samplers.seats.claims import (
    CLAIM_KEY,
    LEASE_KEY,
    RESERVED_KEY,
    SETTINGS_KEY,
)
from relativenas_optuna.search.status import status_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SPACE = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
DEEP = "[" * 100_000 + "]" * 100_000

json_data: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([-4, 10**9, 10**400, "NaN", "", DEEP]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)

SETTINGS = {
    "population_size": 4,
    "seed": 0,
    "preset": "plain",
    "space": None,
    "limits": None,
    "warm_start": None,
    "screening": {"draws": 1},
}
CLAIM = {
    "generation": 0,
    "seat": 1,
    "worker": {"machine": "other", "pid": 7, "start": 1.0},
    "signed": 1.0,
    "proposed": "x",
    "retries": 0,
    "sampler": "RelativeNASSampler",
    "settings": SETTINGS,
}
PLACES = [
    (), ("generation",), ("seat",), ("worker",), ("worker", "pid"), ("worker", "machine"),
    ("worker", "start"), ("signed",), ("proposed",), ("retries",), ("sampler",), ("settings",),
    *(("settings", name) for name in SETTINGS), ("settings", "screening", "draws"),
]  # fmt: skip


def with_junk(place: tuple[str, ...], value: Any) -> dict[str, str]:
    """Draw the attributes of a claim with junk in one place."""
    if not place:
        return {CLAIM_KEY: json.dumps(value)}
    if place in (("generation",), ("seat",)) and type(value) is int:
        value = str(value)  # another number would be a claim like others, on a seat of later
    data = json.loads(json.dumps(CLAIM))
    inner = data
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    part = {f"{SETTINGS_KEY}:0": json.dumps(data["settings"])}
    return {CLAIM_KEY: json.dumps(data | {"settings": 1})} | part


junk_claims = st.builds(with_junk, st.sampled_from(PLACES), json_data)
others = st.fixed_dictionaries(
    {},
    optional={
        CLAIM_KEY: json_data,
        RESERVED_KEY: json_data
        | st.builds(lambda s, w: json.dumps({"seats": s, "worker": w}), json_data, json_data),
        LEASE_KEY: json_data,
        f"{SETTINGS_KEY}:0": json_data,
        "relative_nas:interrupted": json_data,
        "retry_history": json_data,
    },
)
attributes = st.builds(lambda one, other: one | other, others, junk_claims) | others


def scored(study: optuna.Study, trials: int) -> list[dict[str, Any]]:
    """Score trials of a study that may hold junk, and return their parameters."""
    proposed = []
    for _ in range(trials):
        trial = study.ask()
        params = {name: trial.suggest_float(name, 0, 1) for name in SPACE}
        study.tell(trial, params["x"] + params["y"])
        proposed.append(params)
    return proposed


def new_study(junk: dict[str, Any] | None = None, state: TrialState | None = None) -> optuna.Study:
    sampler = RelativeNASSampler(SPACE, population_size=4, seed=0)
    study = optuna.create_study(sampler=sampler)
    scored(study, 3)
    if junk is not None and state is not None:
        values = [1.0] if state == TrialState.COMPLETE else None
        study.add_trial(
            optuna.create_trial(state=state, values=values, user_attrs=junk, system_attrs=junk)
        )
    return study


@settings(max_examples=25)
@given(junk=attributes, state=st.sampled_from(list(TrialState)))
@pytest.mark.filterwarnings("ignore:.* of the study's trials:UserWarning")
def test_junk_attributes_of_a_trial_end_nothing(junk: dict[str, Any], state: TrialState) -> None:
    study = new_study(junk, state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        population = status_of(study).population
        view = SearchView.of(study)
        scored(study, 3)
        again = optuna.load_study(
            study_name=study.study_name, storage=study._storage, sampler=RelativeNASSampler()
        )
        scored(again, 2)
    assert population == 4
    assert view is not None
    json.dumps(view.to_dict())


@settings(max_examples=25)
@given(junk=st.sampled_from(PLACES), value=st.sampled_from([-4, 10**9, "x", [], {}, None, DEEP]))
@pytest.mark.filterwarnings("ignore:.* of the study's trials:UserWarning")
def test_a_junk_claim_changes_nothing_of_the_search(junk: tuple[str, ...], value: Any) -> None:
    views = [
        SearchView.of(study)
        for study in (new_study(with_junk(junk, value), TrialState.RUNNING), new_study())
    ]
    values = [[m.values for m in view.generations[0].members] for view in views if view is not None]
    assert len(values) == 2
    assert values[0] == values[1]
