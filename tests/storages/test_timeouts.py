"""Silent networks and held locks: one line after the time-out, and Ctrl-C at once."""

from __future__ import annotations

import copy
import os
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy

from relativenas_optuna.exceptions import StorageError
from relativenas_optuna.storages.opening import open_storage, storage_at
from relativenas_optuna.storages.timeouts import StorageTimeoutError
from tests.helpers.command import call
from tests.helpers.databases import address, empty_database
from tests.helpers.tcp_proxy import proxied
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHORT = {"connect_timeout": 1, "read_timeout": 1}
SOON = 15.0  # seconds on a busy machine; without time-outs it takes a minute or has no end


@pytest.fixture(scope="module", params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with empty_database(request.param, tmp_path_factory.mktemp("database")) as made:
        yield made


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


@contextmanager
def signalled(number: int) -> Iterator[Callable[[], None]]:
    """Yield a function that has a signal sent to this process, half a second later."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    sender = threading.Timer(0.5, os.kill, [os.getpid(), number])
    try:
        yield sender.start
    finally:
        sender.cancel()
        signal.signal(signal.SIGINT, before)


@contextmanager
def locked(url: str, study: optuna.Study) -> Iterator[None]:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        text = f"SELECT 1 FROM studies WHERE study_id = {study._study_id} FOR UPDATE"
        connection.exec_driver_sql(text)
        yield
    engine.dispose()


def loss(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2


@pytest.mark.slow_except("postgresql")
def test_a_network_that_falls_silent_ends_a_study_in_one_error(url: str) -> None:
    with proxied(url, **SHORT) as (proxy, through):

        def silenced(trial: optuna.Trial) -> float:
            if trial.number == 2:
                proxy.stop()
            return loss(trial)

        with storage_at(through, heartbeat_interval=None) as storage:
            study = optuna.create_study(storage=storage)
            with soon(), pytest.raises(StorageTimeoutError, match=r"^no answer in time, by"):
                study.optimize(silenced, n_trials=5)
            proxy.resume()
        with storage_at(through, heartbeat_interval=None) as storage:
            study = optuna.load_study(study_name=study.study_name, storage=storage)
            study.optimize(loss, n_trials=2)
            assert [t.state.name for t in study.trials].count("COMPLETE") == 4


def test_a_server_that_takes_connections_and_says_nothing_is_one_line(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with proxied(url, **SHORT) as (proxy, through), soon():
        proxy.stop()
        with pytest.raises(StorageError, match="cannot be opened: no answer in time"):
            open_storage(through)
        assert "no answer in time" in call(capfd, "studies", "--storage", through).line


@pytest.mark.slow_except("postgresql")
def test_a_lock_that_another_client_holds_ends_a_wait(url: str) -> None:
    with (
        proxied(url, **SHORT) as (_, through),
        storage_at(through, heartbeat_interval=None) as storage,
    ):
        study = optuna.create_study(storage=storage)
        with (
            locked(url, study),
            soon(),
            pytest.raises(StorageTimeoutError, match="lock that another program holds"),
        ):
            study.ask()
        time.sleep(0.1)
    with storage_at(url, heartbeat_interval=None) as storage:
        optuna.load_study(study_name=study.study_name, storage=storage).ask()


@pytest.mark.slow_except("mysql")
def test_a_slow_network_and_one_that_is_cut_are_borne(url: str) -> None:
    with (
        proxied(url, **SHORT) as (proxy, through),
        storage_at(through, heartbeat_interval=None) as storage,
    ):
        study = optuna.create_study(storage=storage)
        proxy.delay = 0.005
        study.optimize(loss, n_trials=2)
        proxy.delay = 0.0
        proxy.cut()
        study.optimize(loss, n_trials=2)
        assert len(study.trials) == 4


@pytest.mark.parametrize("state", [pytest.param("silent", marks=pytest.mark.slow), "locked"])
def test_ctrl_c_ends_a_study_soon_whatever_it_waits_for(url: str, state: str) -> None:
    with ExitStack() as stack:
        proxy, through = stack.enter_context(proxied(url))
        storage = open_storage(through, heartbeat_interval=None)
        study = optuna.create_study(storage=storage)
        send = stack.enter_context(signalled(signal.SIGINT))

        def blocked(trial: optuna.Trial) -> float:
            if trial.number == 1:
                proxy.stop() if state == "silent" else stack.enter_context(locked(url, study))
                send()
            return loss(trial)

        # The second where Optuna tells the trial that Ctrl-C ended.
        ended = (KeyboardInterrupt, StorageTimeoutError)
        with soon(), pytest.raises(ended, match=r"^$|^no answer in time"):
            study.optimize(blocked, n_trials=3)
        with soon():
            storage.remove_session()
            storage.engine.dispose()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_command_that_waits_for_a_server(
    url: str, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with proxied(url) as (proxy, through), soon(), signalled(number) as send:
        proxy.stop()
        send()
        assert call(capfd, "studies", "--storage", through).status == 128 + number


@pytest.mark.parametrize("kind", DATABASES)
def test_time_outs_of_the_users_own_are_kept(kind: str, tmp_path: Path) -> None:
    shown = {"postgresql": "SHOW lock_timeout", "mysql": "SELECT @@innodb_lock_wait_timeout"}
    given = {"postgresql": "?options=-c%20lock_timeout%3D7s", "mysql": "?read_timeout=12"}
    own = {"postgresql": "7s", "mysql": 10}
    default = {"postgresql": "50s", "mysql": 50}
    url = address(kind, tmp_path)
    for extra, value in (("", default[kind]), (given[kind], own[kind])):
        with storage_at(url + extra) as storage:
            again = copy.copy(storage)  # by way of pickle
            for one in (storage, again):
                with one.engine.connect() as connection:
                    assert connection.exec_driver_sql(shown[kind]).scalar() == value
            again.engine.dispose()


def test_copy_works_beside_a_study_on_postgresql(tmp_path: Path) -> None:
    url = address("postgresql", tmp_path)
    psycopg2 = pytest.importorskip("psycopg2")
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(loss, n_trials=1)
        parsed = storage.engine.url
        own = psycopg2.connect(host=parsed.host, user=parsed.username, dbname=parsed.database)
        with own.cursor() as cursor, (tmp_path / "rows").open("w") as file:
            cursor.copy_expert("COPY (SELECT 1) TO STDOUT", file)
        own.close()
        optuna.delete_study(study_name=study.study_name, storage=storage)
    assert (tmp_path / "rows").read_text() == "1\n"
