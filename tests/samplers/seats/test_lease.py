"""Living and dead workers on other machines, on storages without a heartbeat."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import TrialState

from relativenas_optuna.samplers.seats import lease
from relativenas_optuna.samplers.seats.claims import LEASE_KEY, seat_of, signs_of_life
from relativenas_optuna.storages.interruption import INTERRUPTED_KEY
from tests.helpers.forked import context
from tests.helpers.samplers.other_machine import LEASE, RENEWAL, Worker, opened, serve
from tests.helpers.samplers.searches import (
    SPACE,
    ask,
    new_sampler,
    scored,
    search,
    state,
    step,
    tell,
)
from tests.samplers.conftest import database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# gRPC storages and heartbeats are.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

RUNNING, FAIL = TrialState.RUNNING, TrialState.FAIL


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWAL", RENEWAL)
    monkeypatch.setattr(lease, "LEASE", LEASE)


@pytest.fixture(params=["journal", "sqlite", "grpc"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "journal":
        yield str(tmp_path / "journal.log")
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'study.db'}"
    else:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        server = context.Process(target=serve, args=(port,))
        server.start()
        try:
            yield f"localhost:{port}"
        finally:
            server.kill()
            server.join()


@pytest.mark.slow_except("sqlite")
def test_on_another_machine_only_a_dead_worker_frees_its_seat(place: str) -> None:
    name = uuid.uuid4().hex
    with opened(place) as storage:
        study = optuna.create_study(storage=storage, study_name=name, sampler=new_sampler(SPACE))
        dead, slow = (Worker(place, name, f"machine {n}") for n in range(2))
        try:
            dead.kill()
            assert step(study) not in (dead.seat, slow.seat)
            assert [t.state for t in study.trials[:2]] == [RUNNING] * 2  # nobody knows so far
            time.sleep(LEASE + 2 * RENEWAL)
            # Only the slow one gave a new sign of life since this process looked.
            trial, seat = ask(study)
            assert seat == dead.seat
            ended = study.trials[dead.number]
            assert ended.state == FAIL
            assert ended.system_attrs[INTERRUPTED_KEY]
            assert trial.params == ended.params
            assert study.trials[slow.number].state == RUNNING
            tell(study, trial)
            step(study)
        finally:
            dead.kill()
            slow.kill()


@pytest.mark.parametrize("shift", [-86_400.0, 86_400.0])
def test_clocks_that_differ_by_a_day_end_no_worker(
    shift: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = str(tmp_path / "journal.log"), uuid.uuid4().hex
    with opened(place) as storage:
        study = optuna.create_study(storage=storage, study_name=name, sampler=new_sampler(SPACE))
        worker = Worker(place, name, "elsewhere")
        try:
            with monkeypatch.context() as patched:
                real = time.time
                patched.setattr(time, "time", lambda: real() + shift)
                assert step(study) != worker.seat
            assert study.trials[worker.number].state == RUNNING
        finally:
            worker.kill()


@pytest.mark.slow_except("sqlite")
def test_on_the_same_machine_a_dead_worker_is_known_at_once(place: str) -> None:
    name = uuid.uuid4().hex
    with opened(place) as storage:
        study = optuna.create_study(storage=storage, study_name=name, sampler=new_sampler(SPACE))
        worker = Worker(place, name, None)
        worker.kill()
        assert ask(study)[1] == worker.seat
        assert study.trials[worker.number].state == FAIL


@pytest.mark.slow_except("sqlite")
def test_a_worker_renews_its_lease_while_it_has_a_trial(place: str) -> None:
    earlier = set(threading.enumerate())
    with opened(place) as storage:
        study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
        trials = [ask(study)[0] for _ in range(2)]

        def signs() -> list[float]:
            attrs = [study.trials[trial.number].system_attrs for trial in trials]
            return [max(filter(None, signs_of_life(each)), default=0.0) for each in attrs]

        first = signs()
        assert all(abs(sign - time.time()) < 60 for sign in first)
        deadline = time.time() + 60
        while not all(now > before for now, before in zip(signs(), first, strict=True)):
            assert time.time() < deadline
            time.sleep(RENEWAL)
        for trial in trials:
            tell(study, trial)
        while "lease" in {thread.name for thread in {*threading.enumerate()} - earlier}:
            assert time.time() < deadline
            time.sleep(RENEWAL)


def test_a_search_continues_if_leases_cannot_be_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(lease, "renew", broken)
    with opened(str(tmp_path / "journal.log")) as storage:
        study = optuna.create_study(storage=storage, sampler=new_sampler(SPACE))
        for _ in range(5):
            step(study)
            time.sleep(RENEWAL)
        assert state(study) == state(search(space=SPACE, trials=5))
        assert scored(study) == scored(search(space=SPACE, trials=5))


def test_leases_are_needed_on_storages_without_heartbeat(tmp_path: Path) -> None:
    with database(f"sqlite:///{tmp_path / 'study.db'}") as plain:
        assert lease.needs_lease(plain)
        assert not lease.needs_lease(InMemoryStorage())
        beating = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=60)
        assert not lease.needs_lease(beating)
        study = optuna.create_study(sampler=new_sampler(SPACE))
        trial, _ = ask(study)
        time.sleep(2 * RENEWAL)
        attrs = study.trials[trial.number].system_attrs
        assert LEASE_KEY not in attrs
        assert signs_of_life(attrs) == (None, None)
        assert seat_of(trial) is not None
        beating.remove_session()
        beating.engine.dispose()
