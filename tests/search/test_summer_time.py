"""Times are right on the days when summer time begins and ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import func, select

from relativenas_optuna._utils.text import ago, seconds_between
from relativenas_optuna.cli.progress import scored_line
from relativenas_optuna.search.status import seconds_left
from relativenas_optuna.search.study_facts import last_written
from relativenas_optuna.storages.heartbeats import without_heartbeat
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.databases import empty_database
from tests.helpers.samplers.finished_trials import seat_score
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from relativenas_optuna.storages.search_storage import SearchStorage

END = datetime(2026, 10, 25, 1, tzinfo=UTC)  # of summer time: 3:00 is 2:00 again


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def local(minutes: float) -> datetime:
    """Return a local time, `minutes` after the end of summer time."""
    return datetime.fromtimestamp((END + timedelta(minutes=minutes)).timestamp())


def scored(*ends: float) -> list[FrozenTrial]:
    """Return trials of one minute, which ended `ends` minutes after the end of summer time."""
    return [
        FrozenTrial(
            number=number,
            trial_id=number,
            state=TrialState.COMPLETE,
            value=0.5,
            datetime_start=local(end - 1),
            datetime_complete=local(end),
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        for number, end in enumerate(ends)
    ]


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("many", [False, True], ids=["few", "many running"])
def test_of_doubles_the_first_to_finish_counts_in_the_hour_that_comes_twice(
    many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if many:
        monkeypatch.setattr("relativenas_optuna.storages.search_storage._MOST_INCLUDED", 1)
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
        study = optuna.create_study(storage=storage)
        for trial in scored(10, -10):  # at 2:10 and, an hour on the clock after it, at 2:50
            storage.create_new_trial(study._study_id, trial)
        ids = {trial._trial_id for trial in study.trials}
        read = storage._get_trials(study._study_id, None, ids, max(ids))
        assert seat_score(*read).counted is read[1]
        assert {t._trial_id for t in read} == ids
        alone = [storage.get_trial(trial_id) for trial_id in sorted(ids)]
        assert seat_score(*alone).counted is alone[1]
        assert last_written(read) == local(10)


@pytest.mark.usefixtures("berlin")
def test_no_time_span_gains_or_loses_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds_between(local(-0.5), local(0.5)) == 60
    assert seconds_between(local(0.5), local(-0.5)) == 0
    assert scored_line(scored(0.5)[0]).endswith(" after 60.0 seconds")
    assert seconds_left(scored(-1, 0.5, 1.5), left=3, population=2) == 180
    now = datetime.now()
    assert ago(now - timedelta(seconds=10)) == "10 seconds ago"
    assert ago(now + timedelta(minutes=10)) == "0 seconds ago"


def running(storage: SearchStorage, ages: list[str]) -> tuple[int, list[int]]:
    """Return the ids of a study and of its running trials, whose heartbeats have given ages."""
    study = optuna.create_study(storage=storage)
    ids = []
    for age in ages:
        ids.append(storage.create_new_trial(study._study_id))
        storage.record_heartbeat(ids[-1])
        with storage.engine.begin() as connection:
            connection.exec_driver_sql(
                f"UPDATE trial_heartbeats SET heartbeat = now() - interval {age} "
                f"WHERE trial_id = {ids[-1]}"
            )
    return study._study_id, ids


@pytest.mark.slow_except("postgresql")
@pytest.mark.parametrize("kind", DATABASES)
def test_servers_tell_the_age_of_a_heartbeat(kind: str, tmp_path: Path) -> None:
    ages = ["'30' second", "'50' minute"]
    with empty_database(kind, tmp_path) as url, storage_at(url) as storage:
        study_id, ids = running(storage, ages)
        with storage.scoped_session() as session:
            assert without_heartbeat(session, ids, 120) == ids[1:]
        assert storage._get_stale_trial_ids(study_id) == ids[1:]


def test_trials_live_on_when_summer_time_of_a_server_begins(tmp_path: Path) -> None:
    """In a time zone of PostgreSQL where it began 20 seconds ago."""
    began = datetime.now(UTC) - timedelta(seconds=20)
    day = began.timetuple().tm_yday - 1
    zone = f"AAA0BBB,{day}/{began:%H:%M:%S},{(day + 150) % 365}"
    engine = {"connect_args": {"options": f"-c TimeZone={zone}"}}
    with (
        empty_database("postgresql", tmp_path) as url,
        storage_at(url, engine_kwargs=engine) as storage,
    ):
        study_id, ids = running(storage, ["'30' second", "'50' minute"])
        with storage.engine.connect() as connection:
            offset = connection.scalar(select(func.extract("timezone", func.now())))
        assert offset == 3600
        assert RDBStorage._get_stale_trial_ids(storage, study_id) == ids  # without our rule
        assert storage.trials_without_heartbeat(study_id) == ids[1:]
        assert storage._get_stale_trial_ids(study_id) == ids[1:]
