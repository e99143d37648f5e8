"""`open_storage` takes the arguments of `optuna.storages.RDBStorage`."""

from __future__ import annotations

import inspect
import sqlite3
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

from relativenas_optuna.exceptions import StorageError
from relativenas_optuna.samplers.seats.claims import seat_of
from relativenas_optuna.storages.opening import open_storage, storage_at
from tests.helpers.samplers.searches import SPACE, new_sampler
from tests.storages.test_search_storage import loss, stale_trial

if TYPE_CHECKING:
    from pathlib import Path

FAIL, RUNNING = TrialState.FAIL, TrialState.RUNNING


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def test_every_argument_of_optunas_storage_is_taken_by_its_name_and_in_its_order() -> None:
    optunas, ours = (inspect.signature(each).parameters for each in (RDBStorage, open_storage))
    assert {name: each.kind for name, each in optunas.items()}.items() <= {
        name: each.kind for name, each in ours.items()
    }.items()
    assert list(ours)[:3] == list(optunas)[:3]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_stale_trials_can_be_failed_again_at_once(url: str) -> None:
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
        for number in range(3):
            stale_trial(study, storage)
            fail_stale_trials(study)
            assert study.trials[number].state == FAIL
        assert len({seat_of(trial) for trial in study.trials}) == 1


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_grace_period_says_when_a_trial_is_stale(url: str) -> None:
    minute = "UPDATE trial_heartbeats SET heartbeat = datetime('now', '-60 seconds')"
    for grace, state in ((50, FAIL), (90, RUNNING)):
        with storage_at(url, heartbeat_interval=1, grace_period=grace) as storage:
            study = optuna.create_study(storage=storage)
            stale_trial(study, storage)
            with storage.engine.begin() as connection:
                connection.exec_driver_sql(minute)
            fail_stale_trials(study)
            assert study.trials[0].state == state


@pytest.mark.parametrize("seconds", [30, None])
def test_heartbeat_is_a_second_name_of_heartbeat_interval(seconds: int | None, url: str) -> None:
    with storage_at(url, heartbeat=seconds) as storage:
        assert storage.heartbeat_interval == seconds
    with pytest.raises(StorageError, match=f"pass one of them, got {seconds} and 20"):
        open_storage(url, heartbeat=seconds, heartbeat_interval=20)
    with pytest.raises(StorageError, match=r"^heartbeat must be a whole number of seconds"):
        open_storage(url, heartbeat=0)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", ["heartbeat_stale_trial_callback", "failed_trial_callback"])
def test_a_callback_gets_each_stale_trial(name: str, url: str) -> None:
    called: list[int] = []
    options: dict[str, Any] = {name: lambda _, trial: called.append(trial.number)}
    if name == "failed_trial_callback":
        with pytest.warns(FutureWarning, match="heartbeat_stale_trial_callback"):
            storage = open_storage(url, **options)
    else:
        storage = open_storage(url, **options)
    study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
    stale_trial(study, storage)
    study.optimize(loss, n_trials=1)
    assert called == [0]
    storage.engine.dispose()


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_retried_trial_scores_the_seat_of_the_stale_one(url: str) -> None:
    callback = RetryHeartbeatStaleTrialCallback()
    with storage_at(url, heartbeat_stale_trial_callback=callback) as storage:
        study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
        stale_trial(study, storage)
        study.optimize(loss, n_trials=1)
        assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
        assert seat_of(study.trials[0]) == seat_of(study.trials[1])


def test_arguments_for_the_engine_replace_ours_one_by_one(url: str) -> None:
    class Connection(sqlite3.Connection):
        """A connection of the user's own."""

    arguments = {"pool_size": 3, "connect_args": {"factory": Connection}}
    with storage_at(url, engine_kwargs=arguments) as storage:
        assert storage.engine.pool.size() == 3  # type: ignore[attr-defined]
        assert storage.engine.pool._max_overflow == 16  # type: ignore[attr-defined]
        with storage.engine.connect() as connection:
            assert isinstance(connection.connection.driver_connection, Connection)
            timeout = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        assert timeout == 60_000
    with storage_at(url, engine_kwargs={"poolclass": NullPool}) as storage:
        assert storage.get_heartbeat_interval() == 60
        study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
        study.optimize(loss, n_trials=2, n_jobs=2)
        assert len(study.trials) == 2


def test_tables_are_left_missing_where_they_are_to_be(url: str) -> None:
    with pytest.raises(StorageError, match="it holds no studies of Optuna"):
        open_storage(url, skip_table_creation=True)
    storage = open_storage(url)
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE version_info SET schema_version = 11")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    storage.engine.dispose()
    with pytest.raises(StorageError, match="cannot be opened"):
        open_storage(url)
    open_storage(url, skip_compatibility_check=True).engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"grace_period": 0},
            "grace_period must be a whole number of seconds, at least 1, or None",
        ),
        ({"engine_kwargs": {"pool_sizes": 3}}, "pool_sizes"),
        (
            {"failed_trial_callback": print, "heartbeat_stale_trial_callback": print},
            "failed_trial_callback is the older name of heartbeat_stale_trial_callback: pass one",
        ),
    ],
)
def test_wrong_arguments_are_one_line(arguments: Any, message: str, url: str) -> None:
    with pytest.raises(StorageError, match=message) as raised:
        open_storage(url, **arguments)
    assert "\n" not in str(raised.value)
