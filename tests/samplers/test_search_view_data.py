"""The view of a study as data that cannot be changed."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from relativenas_optuna import RelativeNASSampler, SearchView
from relativenas_optuna.samplers.seats.claims import Claim, Seat, seat_of
from relativenas_optuna.samplers.seats.worker import this_worker
from tests.helpers.samplers.searches import (
    SPACE,
    Space,
    ask,
    new_sampler,
    search,
    suggest,
)
from tests.samplers.conftest import database


def view_of(study: optuna.Study) -> SearchView:
    view = SearchView.of(study)
    assert view is not None
    return view


class ReadOnly(InMemoryStorage):
    """A storage that can be made read-only."""

    closed = False

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("set_", "create_", "delete_")):
            assert not super().__getattribute__("closed"), name
        return super().__getattribute__(name)


def test_reading_a_view_changes_nothing() -> None:
    storage = ReadOnly()
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    alive, dead = ask(study)[0], ask(study)[0]
    worker = {**this_worker(), "pid": 2**22 + 1}
    Claim(Seat(0, 1), worker, "RelativeNASSampler").write(storage, dead._trial_id)
    storage.closed = True
    by_seat = sorted(view_of(study).generations[0].members, key=lambda member: member.seat)
    assert study.trials[dead.number].state == TrialState.RUNNING
    storage.closed = False
    (run,) = by_seat[0].running
    assert (run.number, run.pid, run.gone) == (alive.number, this_worker()["pid"], False)
    assert run.machine == this_worker()["machine"]
    assert by_seat[0].state == "running"
    assert [run.gone for run in by_seat[1].running] == [True]
    assert [member.state for member in by_seat[1:]] == ["waiting"] * 3
    anybodys = new_sampler(SPACE).ask_generation(study, detached=True)[0]
    seat = seat_of(anybodys)
    assert seat is not None
    by_seat = sorted(view_of(study).generations[0].members, key=lambda member: member.seat)
    member = by_seat[seat.number]
    assert [(run.machine, run.pid, run.gone) for run in member.running] == [(None, None, False)]


def test_any_process_sees_the_same_view(tmp_path: Path) -> None:
    study = search(space=None, trials=11, preset="plain", study_name="s")
    ask(study)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.copy_study(
        from_study_name="s", from_storage=study._storage, to_storage=url, to_study_name="s"
    )
    with database(url) as storage:
        loaded = optuna.load_study(study_name="s", storage=storage)
        assert view_of(loaded).to_dict() == view_of(study).to_dict()


def test_a_view_cannot_be_changed() -> None:
    view = view_of(search(space=SPACE, trials=5))
    generation = view.generations[0]
    for array in (generation.positions, generation.velocities):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0
    with pytest.raises(FrozenInstanceError):
        view.seed = 1  # type: ignore[misc]
    for mapping in (view.search_space, generation.params[0]):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


def test_values_that_json_lacks_become_text() -> None:
    space: Space = {
        "c": CategoricalDistribution([math.nan, math.inf, None, True]),
        "i": IntDistribution(0, 1),
    }
    study = optuna.create_study(sampler=RelativeNASSampler(space, population_size=2, seed=0))
    for value in (math.inf, -math.inf):
        trial = study.ask()
        suggest(trial, space)
        study.tell(trial, value)
    data = json.loads(json.dumps(view_of(study).to_dict(), allow_nan=False))
    assert data["search_space"]["c"]["attributes"]["choices"] == ["nan", "inf", None, True]
    first, second = data["generations"][:2]
    assert sorted(member["values"][0] for member in first["members"]) == ["-inf", "inf"]
    assert first["pairs"][0]["margin"] == "inf"
    assert {type(params["c"]) for params in first["params"]} <= {str, bool, type(None)}
    assert len(second["positions"]) == 2
    waiting = view_of(search(space=SPACE, trials=2)).to_dict()["generations"][1]
    assert sorted(row is None for row in waiting["positions"]) == [False, False, True, True]
    assert sum(params is None for params in waiting["params"]) == 2
