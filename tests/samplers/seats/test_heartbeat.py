"""Optuna's heartbeat together with the sampler's own rule for dead workers."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.storages.opening import storage_at
from tests.helpers.samplers.scenarios import undisturbed
from tests.helpers.samplers.searches import bits, population
from tests.helpers.samplers.worker_groups import WorkerGroup, scenario
from tests.helpers.samplers.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from optuna.trial import FrozenTrial

    Callback = Callable[[optuna.Study, FrozenTrial], None]

BEAT = 1  # seconds
STALE = 2 * BEAT + 1.5  # SQLite's clock has whole seconds
SEARCHED = scenario(size=4)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    opened = WorkerPool()
    yield opened
    opened.close()


@pytest.fixture
def retry() -> Callback:
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        return RetryHeartbeatStaleTrialCallback()


@contextmanager
def stock(url: str) -> Iterator[RDBStorage]:
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        storage = RDBStorage(url, heartbeat_interval=BEAT)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def ours(url: str) -> Iterator[RDBStorage]:
    with storage_at(url, heartbeat_interval=BEAT) as storage:
        yield storage


@pytest.fixture(params=[ours, stock], ids=["ours", "stock"])
def workers(
    request: pytest.FixtureRequest, pool: WorkerPool, tmp_path: Path
) -> Iterator[WorkerGroup]:
    """A study whose storage has a heartbeat of a second."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with request.param(url) as storage:
        study = optuna.create_study(
            storage=storage, study_name="s", sampler=SEARCHED.sampler(), direction="minimize"
        )
        yield WorkerGroup(pool, url, study, SEARCHED, 3)


def calls(study: optuna.Study, callback: Callback | None) -> list[int]:
    """Set the storage's stale trial callback, and return the list of numbers it fills."""
    numbers: list[int] = []

    def noted(study: optuna.Study, trial: FrozenTrial) -> None:
        numbers.append(trial.number)
        if callback is not None:
            callback(study, trial)

    assert isinstance(study._storage, _CachedStorage)
    study._storage._backend.heartbeat_stale_trial_callback = noted
    return numbers


def die_in_the_third_trial(workers: WorkerGroup, *, elsewhere: bool) -> FrozenTrial:
    """Let a worker die with a seat, and return its last trial."""
    # Wait until its parameters are stored, which takes a moment.
    pid = workers.start(
        point="objective", at=3, nap=0.4, elsewhere=elsewhere, heartbeat_interval=BEAT
    )
    assert workers.pool.wait(pid) == -9
    dead = workers.study.trials[2]
    assert (dead.state, seat_of(dead)) == (TrialState.RUNNING, Seat(0, 2))
    return dead


def finish(workers: WorkerGroup) -> None:
    """Search to the end, and compare with an undisturbed search without doubles."""
    while not workers.is_done:
        workers.study.optimize(SEARCHED.objective, n_trials=1)
    found = bits(population(workers.study, SEARCHED.size))
    for index in range(workers.generations):
        assert found[index] == undisturbed(SEARCHED).generation(index)
    complete = workers.study.get_trials(states=[TrialState.COMPLETE])
    assert set(Counter(map(seat_of, complete)).values()) == {1}
    assert not workers.study.get_trials(states=[TrialState.RUNNING, TrialState.WAITING])


@pytest.mark.slow
def test_a_stopped_heartbeat_on_another_machine_frees_the_seat(workers: WorkerGroup) -> None:
    study = workers.study
    assert isinstance(study._storage, BaseHeartbeat)
    called = calls(study, None)
    dead = die_in_the_third_trial(workers, elsewhere=True)
    study.optimize(SEARCHED.objective, n_trials=1)
    assert seat_of(study.trials[-1]) == Seat(0, 3)  # it might still live
    for _ in range(10):  # a process that does not look in between would wait for others longer
        time.sleep(STALE / 10)
        study._storage._get_stale_trial_ids(study._study_id)
    study.optimize(SEARCHED.objective, n_trials=1)
    assert study.trials[dead.number].state == TrialState.FAIL
    assert seat_of(study.trials[-1]) == seat_of(dead)
    assert called == [dead.number]
    finish(workers)


@pytest.mark.slow_except("ours")
def test_a_retried_copy_from_another_machine_keeps_its_seat(
    workers: WorkerGroup, retry: Callback
) -> None:
    study = workers.study
    called = calls(study, retry)
    dead = die_in_the_third_trial(workers, elsewhere=True)
    time.sleep(STALE)
    study.optimize(SEARCHED.objective, n_trials=1)
    copy = study.trials[-1]
    assert copy.system_attrs["retry_history"] == called == [dead.number]
    assert (seat_of(copy), copy.params) == (seat_of(dead), dead.params)
    assert copy.state == TrialState.COMPLETE  # popped at once
    finish(workers)


def test_the_stale_trial_callback_runs_for_locally_dead_workers(
    workers: WorkerGroup, retry: Callback
) -> None:
    study = workers.study
    called = calls(study, retry)
    dead = die_in_the_third_trial(workers, elsewhere=False)
    study.optimize(SEARCHED.objective, n_trials=1)  # long before its heart is known to have stopped
    assert called == [dead.number]
    assert study.trials[dead.number].state == TrialState.FAIL
    finish(workers)
    assert called == [dead.number]


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_retried_copy_run_by_a_stock_worker_is_alive(
    elsewhere: bool, workers: WorkerGroup, retry: Callback
) -> None:
    study = workers.study
    calls(study, retry)
    dead = die_in_the_third_trial(workers, elsewhere=elsewhere)
    if elsewhere:
        time.sleep(STALE)
        with pytest.warns(optuna.exceptions.ExperimentalWarning):
            optuna.storages.fail_stale_trials(study)
    else:
        study.optimize(SEARCHED.objective, n_trials=1)

    def objective(trial: optuna.Trial) -> list[float]:
        """Score trials as a stock worker while others search."""
        assert seat_of(trial) == seat_of(dead)
        study.sampler = SEARCHED.sampler()
        study._thread_local.in_optimize_loop = False
        with pytest.warns(UserWarning, match="Heartbeat of storage"):
            other = study.ask()
        assert seat_of(other) != seat_of(dead)
        study.tell(other, SEARCHED.objective(other))
        assert study.trials[trial.number].state == TrialState.RUNNING
        study.sampler = RandomSampler()
        return SEARCHED.objective(trial)

    study.sampler = RandomSampler()
    study.optimize(objective, n_trials=1)
    study.sampler = SEARCHED.sampler()
    finish(workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [ours], indirect=True, ids=["ours"])
def test_deaths_do_not_score_a_seat(workers: WorkerGroup) -> None:
    study = workers.study
    for number in range(3):
        pid = workers.start(point="objective", at=1, elsewhere=True, heartbeat_interval=BEAT)
        assert workers.pool.wait(pid) == -9
        assert seat_of(study.trials[number]) == Seat(0, 0)
        time.sleep(STALE)
    study.optimize(SEARCHED.objective, n_trials=1)
    assert seat_of(study.trials[3]) == Seat(0, 0)
    finish(workers)
