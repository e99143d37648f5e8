"""Junk in the attributes of a study or its trials ends no command that shows or drives it."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.cli.commands.ask_tell.samplers import asked_sampler
from relativenas_optuna.cli.commands.ask_tell.trials import Asker, Result, tell_trial
from relativenas_optuna.cli.commands.studies import studies_in
from relativenas_optuna.dashboard.contents import stage_contents
from relativenas_optuna.dashboard.html_report.page import page_of
from relativenas_optuna.dashboard.state import KEY as DASHBOARD_KEY
from relativenas_optuna.dashboard.state import DashboardState
from relativenas_optuna.samplers.seats.claims import LEASE_KEY, RESERVED_KEY
from relativenas_optuna.search.choice import RESULT_ATTRIBUTE, best_architectures
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.status import status_of
from relativenas_optuna.spaces.published_cells import PUBLISHED
from relativenas_optuna.storages.opening import storage_at
from tests.search.test_junk import SPACE, attributes, json_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import BaseStorage

CELLS = next(iter(PUBLISHED.values())).genotype.to_text()
PLAN = json.loads(json.dumps(asdict(SearchPlan.of(optuna.create_study(), SearchRequest()))))
FINALIST = {"trial": 0, "genotype": CELLS, "search_loss": 1.0, "loss": 1.0, "accuracy": 0.5}
RESULT = {"finalists": [FINALIST], "random_accuracies": [0.5], "generations": 6}
SCORES = ["parameters", "multiply_adds", "accuracy", "weights_version", "stale_commits"]

junk = st.sampled_from([float("nan"), float("inf"), -1, 10**400, 10**9, "x", True]) | json_data
study_user = st.fixed_dictionaries(
    {},
    optional={
        PLAN_ATTRIBUTE: st.just(PLAN)
        | st.builds(lambda k, v: PLAN | {k: v}, st.sampled_from(sorted(PLAN)), junk)
        | junk,
        RESULT_ATTRIBUTE: st.just(RESULT)
        | st.builds(lambda k, v: RESULT | {k: v}, st.sampled_from(sorted(RESULT)), junk)
        | st.builds(
            lambda k, v: RESULT | {"finalists": [FINALIST | {k: v}]},
            st.sampled_from(sorted(FINALIST)),
            junk,
        )
        | junk,
    },
)
study_system = st.fixed_dictionaries(
    {},
    optional={
        DASHBOARD_KEY: junk,
        "study:metric_names": junk,
        "dashboard:note_ver": junk,
        "dashboard:note_str:0": junk,
        "artifacts:0:x": junk,
    },
)
trial_user = st.fixed_dictionaries(
    {"genotype": st.just(CELLS) | junk}, optional=dict.fromkeys(SCORES, junk)
)
trial_system = attributes | st.fixed_dictionaries(
    {}, optional={"constraints": junk | st.lists(junk, max_size=2), "constraints:x": junk}
)


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BaseStorage]:
    if request.param == "memory":
        yield optuna.storages.InMemoryStorage()
    else:
        with storage_at(
            f"sqlite:///{tmp_path_factory.mktemp('junk') / 'x.db'}", heartbeat_interval=None
        ) as opened:
            yield opened


def junk_study(
    storage: BaseStorage, of_study: tuple[Any, Any], of_trials: tuple[Any, Any], objectives: int
) -> optuna.Study:
    study = optuna.create_study(
        storage=storage,
        directions=["minimize"] * objectives,
        sampler=RelativeNASSampler(SPACE, population_size=4, seed=0),
    )
    for key, value in of_study[0].items():
        study.set_user_attr(key, value)
    for key, value in of_study[1].items():
        study._storage.set_study_system_attr(study._study_id, key, value)
    for _ in range(5):
        trial = study.ask()
        values = [trial.suggest_float(name, 0, 1) for name in SPACE]
        for key, value in of_trials[0].items():
            trial.set_user_attr(key, value)
        study.tell(trial, values[:objectives])
    for state in TrialState:
        study.add_trial(
            optuna.create_trial(
                state=state,
                values=[1.0] * objectives if state == TrialState.COMPLETE else None,
                user_attrs=of_trials[0],
                system_attrs=of_trials[1],
            )
        )
    return study


FEW = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@FEW
@given(
    of_study=st.tuples(study_user, study_system),
    of_trials=st.tuples(trial_user, trial_system),
    objectives=st.sampled_from([1, 1, 2]),
)
def test_junk_ends_nothing_that_shows_or_drives_a_study(
    storage: BaseStorage, of_study: tuple[Any, Any], of_trials: tuple[Any, Any], objectives: int
) -> None:
    study = junk_study(storage, of_study, of_trials, objectives)
    failed: list[Exception] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        json.dumps(status_of(study).to_dict(), allow_nan=False)
        json.dumps([line.to_dict() for line in studies_in(storage)], allow_nan=False)
        staged = stage_contents(
            study, DashboardState(), lambda: None, lambda _, error: failed.append(error), seconds=0
        )
        json.dumps(staged.changes)
        with suppress(ValueError):  # of genotypes that are none
            best_architectures(study, for_show=True)
        asker = Asker(study, asked_sampler(study))
        asked = [asker.one(), *asker.generation()]
        told = tell_trial(study, asked[0]["number"], Result(values=[0.5] * objectives))
        json.dumps([asked, told])
    assert not failed
    storage.delete_study(study._study_id)


@pytest.mark.slow  # the first page of a process takes seconds
def test_a_report_goes_on_without_a_junk_plan_result_and_costs(storage: BaseStorage) -> None:
    of_study = {PLAN_ATTRIBUTE: PLAN | {"seed": -4}, RESULT_ATTRIBUTE: RESULT | {"finalists": 3}}
    of_trials = {"genotype": CELLS, "parameters": 10**400, "multiply_adds": float("nan")}
    study = junk_study(storage, (of_study, {}), (of_trials, {"constraints": 5}), 1)
    with pytest.warns(UserWarning, match="it is ignored") as caught:
        page = page_of(study, storage="sqlite:///x.db", made_by="report", top=1)
    assert "</html>" in page
    said = [str(warning.message) for warning in caught]
    for attribute in of_study:
        assert any(f"unreadable attribute '{attribute}'" in line for line in said), said
    storage.delete_study(study._study_id)


def searched(storage: BaseStorage, junk: tuple[dict[str, Any], dict[str, Any]]) -> list[Any]:
    """Return the values of five generations of a search whose trials carry junk."""
    study = optuna.create_study(
        storage=storage, sampler=RelativeNASSampler(SPACE, population_size=4, seed=0)
    )
    for number in range(60):
        trial = study.ask()
        values = [trial.suggest_float(name, 0, 1) for name in SPACE]
        if number % 3 == 0:
            for key, value in junk[0].items():
                trial.set_user_attr(key, value)
            for key, value in junk[1].items():
                study._storage.set_trial_system_attr(trial._trial_id, key, value)
        study.tell(trial, sum(values))
        view = SearchView.of(study)
        assert view is not None
        if sum(g.complete for g in view.generations) >= 5:
            break
    else:
        pytest.fail("five generations are not complete after 60 trials")
    return [m.values for g in view.generations[:5] for m in g.members]


touched = st.tuples(
    trial_user,
    st.fixed_dictionaries(
        {LEASE_KEY: junk}, optional={RESERVED_KEY: junk, "relative_nas:interrupted": junk}
    ),
)


@settings(FEW, max_examples=2)
@given(junk=touched)
def test_junk_on_trials_leaves_all_five_generations_as_they_would_be(
    storage: BaseStorage, junk: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert searched(storage, junk) == searched(storage, ({}, {}))
