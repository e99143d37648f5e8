"""Attribute texts that are no readable JSON are left out, said once, and nothing else changes."""

from __future__ import annotations

import json
import uuid
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.distributions import FloatDistribution
from sqlalchemy import text

from relativenas_optuna import RelativeNASSampler
from relativenas_optuna.cli.commands.studies import studies_in
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.checkpoints import agreed
from relativenas_optuna.search.choice import RESULT_ATTRIBUTE, Choice
from relativenas_optuna.search.plan import PLAN_ATTRIBUTE, SearchPlan, SearchRequest
from relativenas_optuna.search.status import status_of
from relativenas_optuna.storages.opening import storage_at
from relativenas_optuna.storages.stored_json import read_json
from tests.helpers.command import call
from tests.helpers.databases import KINDS, address

if TYPE_CHECKING:
    from pathlib import Path

SPACE = {"x": FloatDistribution(0, 1)}
UNREADABLE = {"deep": "[" * 30_000 + "]" * 30_000, "long": "1" * 4301, "broken": '{"a": '}
TABLES = {
    "study_user_attributes": "study_id",
    "study_system_attributes": "study_id",
    "trial_user_attributes": "trial_id",
    "trial_system_attributes": "trial_id",
}


def spoil(study: optuna.Study, table: str, texts: dict[str, str]) -> None:
    """Write texts beside a study's attributes, or those of its first trial, as anybody may."""
    owner = study._study_id if table.startswith("study") else study.trials[0]._trial_id
    rows = [{"owner": owner, "name": name, "value": value} for name, value in texts.items()]
    columns = f"{TABLES[table]}, {'`key`' if 'mysql' in _url(study) else 'key'}, value_json"
    with study._storage._backend.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(
            text(f"INSERT INTO {table} ({columns}) VALUES (:owner, :name, :value)"), rows
        )


def _url(study: optuna.Study) -> str:
    return str(study._storage._backend.engine.url)  # type: ignore[attr-defined]


def test_json_is_read_up_to_200_levels() -> None:
    assert read_json('{"a": [1, NaN]}')["a"][0] == 1
    read_json("[" * 200 + "]" * 200)
    for bad in (*UNREADABLE.values(), "[" * 202 + "]" * 202, None, b"\xff", ""):
        with pytest.raises(ValueError, match=r"\w"):
            read_json(bad)


@pytest.mark.parametrize("kind", KINDS)
def test_unreadable_attributes_are_left_out_and_said_once(kind: str, tmp_path: Path) -> None:
    with storage_at(address(kind, tmp_path)) as storage:
        study = optuna.create_study(
            storage=storage,
            study_name=uuid.uuid4().hex,
            sampler=RelativeNASSampler(SPACE, population_size=4, seed=0),
        )
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        study.set_user_attr("kept", 1)
        for table in TABLES:
            spoil(study, table, UNREADABLE)
        study = optuna.load_study(
            study_name=study.study_name, storage=storage, sampler=RelativeNASSampler()
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=6)
            assert study.user_attrs == {"kept": 1}
            assert study.trials[0].user_attrs == {}
            trial_id = study.trials[0]._trial_id
            assert storage.get_trial_user_attrs(trial_id) == {}
            assert storage.get_trial_system_attrs(trial_id).keys().isdisjoint(UNREADABLE)
            assert storage.get_study_system_attrs(study._study_id) == {}
            assert status_of(study).scored >= 6
            assert study.study_name in [line.study for line in studies_in(storage)]
        said = [str(w.message) for w in caught if "no readable JSON" in str(w.message)]
        assert sorted(line.split("'")[1] for line in said) == sorted(UNREADABLE)
        storage.delete_study(study._study_id)


@pytest.mark.filterwarnings("ignore:attribute .* in the database", "ignore:.*unreadable attribute")
@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_an_unreadable_plan_is_refused_to_search_and_ignored_to_look(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage, study_name="mine")
        study.add_trial(optuna.create_trial(value=0.5))
        junk = {PLAN_ATTRIBUTE: UNREADABLE[name], RESULT_ATTRIBUTE: UNREADABLE[name]}
        spoil(study, "study_user_attributes", junk)
        for read in (
            SearchPlan.stored_in,
            Choice.stored_in,
            lambda s: SearchPlan.of(s, SearchRequest()),
        ):
            with pytest.raises(SearchError, match="study 'mine' has an unreadable attribute"):
                read(study)
        with pytest.raises(ValueError, match=r"user attribute .* is no readable JSON"):
            agreed(study, PLAN_ATTRIBUTE, {})
        with pytest.warns(UserWarning, match=r"unreadable attribute 'relative_nas:.*it is ignored"):
            assert status_of(study).scored == 1
    where = ("--storage", url, "--study", "mine")
    assert "unreadable attribute 'relative_nas:search'" in call(capfd, "search", *where).err
    for command in (("status", *where), ("studies", *where[:2])):
        outcome = call(capfd, *command)
        assert (outcome.status, "mine" in outcome.out, outcome.err) == (0, True, "")


def test_a_plan_with_a_wrong_size_is_no_plan() -> None:
    study = optuna.create_study()
    plan = json.loads(json.dumps(asdict(SearchPlan.of(study, SearchRequest()))))
    for size in (10**400, -1, "8", True):
        study.set_user_attr(PLAN_ATTRIBUTE, plan | {"size": size})
        with pytest.raises(SearchError, match="unreadable attribute"):
            SearchPlan.stored_in(study)
