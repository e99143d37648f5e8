"""The fast trial reader returns the same trials as Optuna's own storage."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import KINDS, address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage

SPACE: dict[str, Any] = {
    "b": FloatDistribution(1e-3, 1.0, log=True),
    "a": CategoricalDistribution([None, True, 2, 0.5, "ü'\"<"]),
    "n": IntDistribution(1, 9, step=2),
}
FLOATS = st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, 0.1, 5e-300])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("aü'\" {", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy"), inner, max_size=3),
    max_leaves=5,
)
BEGAN, ENDED = datetime(2026, 2, 28, 23, 59, 58), datetime(2026, 7, 1, 12, 0, 1)


@st.composite
def trials(draw: st.DrawFn) -> FrozenTrial:
    state = draw(st.sampled_from(TrialState))
    names = draw(st.lists(st.sampled_from(sorted(SPACE)), unique=True))
    values = {"b": 0.25, "a": draw(st.sampled_from(SPACE["a"].choices)), "n": 5}
    return FrozenTrial(
        number=0,
        trial_id=0,
        state=state,
        value=None,
        values=draw(st.lists(FLOATS, min_size=2, max_size=2))
        if state == TrialState.COMPLETE
        else None,
        datetime_start=None if state == TrialState.WAITING else BEGAN,
        datetime_complete=ENDED if state.is_finished() else None,
        params={name: values[name] for name in names},
        distributions={name: SPACE[name] for name in names},
        user_attrs=draw(st.dictionaries(st.text("kü", min_size=1, max_size=3), JSON, max_size=3)),
        system_attrs=draw(st.dictionaries(st.text("s:", min_size=1), JSON, max_size=3)),
        intermediate_values=draw(
            st.dictionaries(st.integers(0, 9), FLOATS | st.just(math.nan), max_size=3)
        ),
    )


def same(one: FrozenTrial, other: FrozenTrial) -> bool:
    """Return True if two trials are equal in all parts, also in the order of parameters."""

    def held(trial: FrozenTrial) -> str:  # as text, in which NaN equals NaN
        named = {
            name: sorted(value.items()) if isinstance(value, dict) else value
            for name, value in vars(trial).items()
        }
        return repr((named, list(trial.params), list(trial.distributions)))

    return held(one) == held(other)


@pytest.fixture(params=KINDS)
def storages(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[SearchStorage, RDBStorage]]:
    """Our storage and Optuna's of the same database."""
    url = address(request.param, tmp_path)
    with storage_at(url) as ours:
        stock = RDBStorage(url)
        yield ours, stock
        stock.remove_session()
        stock.engine.dispose()


@pytest.mark.slow_except("sqlite")
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(templates=st.lists(trials(), max_size=6), data=st.data())
def test_trials_are_read_as_optuna_reads_them(
    storages: tuple[SearchStorage, RDBStorage],
    templates: list[FrozenTrial],
    data: st.DataObject,
) -> None:
    ours, stock = storages
    directions = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    studies = [ours.create_new_study(directions, uuid.uuid4().hex) for _ in range(2)]
    try:
        # Between them those of another study, which must not come along.
        ids = []
        for template in templates:
            ids.append(ours.create_new_trial(studies[0], template))
            ours.create_new_trial(studies[1], template)
        later = data.draw(st.sampled_from([-1, *ids]))
        included = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
        states = data.draw(st.none() | st.sets(st.sampled_from(TrialState), min_size=1))
        wanted = studies[0], states, included, later
        found, expected = ours._get_trials(*wanted), stock._get_trials(*wanted)
        assert len(found) == len(expected)
        assert all(map(same, found, expected))
        for trial_id in ids:
            assert same(ours.get_trial(trial_id), stock.get_trial(trial_id))
    finally:
        for study in studies:
            ours.delete_study(study)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_refused_as_optuna_refuses_it(kind: str, tmp_path: Path) -> None:
    with storage_at(address(kind, tmp_path)) as storage:
        for read in (storage.get_trial, storage.get_all_trials):
            with pytest.raises(KeyError):
                read(2**30)


def test_another_table_leaves_the_reading_to_optuna(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relativenas_optuna.storages.search_storage.CAN_READ", False)
    monkeypatch.delattr("relativenas_optuna.storages.trial_reader._read")
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
