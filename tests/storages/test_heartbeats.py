"""Heartbeats outlive a database that is away, and a process that stood still ends no trial."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from relativenas_optuna.storages import heartbeats
from relativenas_optuna.storages.heartbeats import Heartbeats, StaleTrials
from relativenas_optuna.storages.opening import storage_at

if TYPE_CHECKING:
    from pathlib import Path


def test_a_heartbeat_that_failed_is_written_before_the_next_one() -> None:
    calls: list[float] = []
    written = threading.Event()

    def record(trial_id: int) -> None:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise StorageInternalError
        assert trial_id == 7
        written.set()

    before = time.monotonic()
    Heartbeats(record, 0.4).record(7)
    assert written.wait(30)
    assert calls[-1] - before >= 0.2


def test_the_heartbeat_thread_of_optuna_outlives_a_cut_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, away = RDBStorage.record_heartbeat, [True, True]

    def cut(storage: RDBStorage, trial_id: int) -> None:
        if away and away.pop():
            raise StorageInternalError("server closed the connection unexpectedly")
        record(storage, trial_id)

    monkeypatch.setattr(RDBStorage, "record_heartbeat", cut)
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}", heartbeat_interval=1) as storage:
        study = optuna.create_study(storage=storage)

        def objective(_: optuna.Trial) -> float:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                with storage.engine.connect() as connection:
                    rows = connection.exec_driver_sql("SELECT count(*) FROM trial_heartbeats")
                    if rows.scalar() == 1:
                        return 0
                time.sleep(0.1)
            return 1

        study.optimize(objective, n_trials=1)
        assert study.best_value == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(monotonic=1000.0, wall=5000.0)
    fake = SimpleNamespace(monotonic=lambda: clock.monotonic, time=lambda: clock.wall)
    monkeypatch.setattr(heartbeats, "time", fake)
    monkeypatch.setattr("relativenas_optuna._utils.stopwatch.time", fake)
    return clock


def test_a_process_that_runs_takes_trials_without_heartbeat_for_stale(
    clock: SimpleNamespace,
) -> None:
    stale = StaleTrials(grace=120)
    assert stale.among([1]) == [1]
    clock.monotonic += 60
    clock.wall += 60
    assert stale.among([2]) == [2]


@pytest.mark.parametrize("machine", [True, False], ids=["machine", "process"])
def test_a_process_that_stood_still_waits_for_the_heartbeats_of_others(
    machine: bool, clock: SimpleNamespace
) -> None:
    stale = StaleTrials(grace=120)
    assert stale.among([]) == []
    clock.wall += 3600
    clock.monotonic += 0 if machine else 3600
    assert stale.among([1, 2]) == []
    for seconds in range(0, 120, 20):
        assert stale.among([1]) == [], seconds
        clock.wall += 20
        clock.monotonic += 20
    assert stale.among([1]) == [1]


def test_a_trial_state_is_left_alone_by_a_late_heartbeat(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}", heartbeat_interval=1) as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(lambda _: 1.0, n_trials=1)
        storage.record_heartbeat(study.trials[0]._trial_id)
        assert study.trials[0].state == TrialState.COMPLETE
