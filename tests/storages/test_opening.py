"""SQL storages: settings of SQLite, one line for what cannot be opened, many users at once."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.exceptions import StorageError
from relativenas_optuna.storages.opening import open_storage, storage_at
from relativenas_optuna.storages.urls import is_in_memory
from tests.samplers.conftest import DATABASES

if TYPE_CHECKING:
    from pathlib import Path


def loss(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", -1, 1) ** 2


def pragmas(connection: sqlalchemy.Connection) -> list[object]:
    names = ("journal_mode", "synchronous", "busy_timeout")
    return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]


def test_every_connection_to_a_sqlite_file_has_the_settings(tmp_path: Path) -> None:
    found = []
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:

        def look() -> None:
            with storage.engine.connect() as connection:
                found.append(pragmas(connection))

        threads = [threading.Thread(target=look) for _ in range(3)]
        with storage.engine.connect() as one, storage.engine.connect() as two:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found += [pragmas(one), pragmas(two)]
    assert found == [["wal", 1, 60_000]] * 5  # 1 is NORMAL


def test_a_closed_storage_leaves_one_whole_file(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
        optuna.create_study(storage=storage, study_name="mine").optimize(loss, n_trials=2)
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_a_reader_sees_the_study_while_another_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with storage_at(url) as storage:
        optuna.create_study(storage=storage, study_name="mine")
        writer = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE studies SET study_name = 'other'")
        with storage_at(url) as second:
            assert optuna.get_all_study_names(second) == ["mine"]
        writer.execute("ROLLBACK")
        writer.close()


def test_who_looks_on_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    optuna.create_study(storage=url, study_name="mine")  # by Optuna, with a rollback journal
    before = (tmp_path / "x.db").read_bytes()
    with storage_at(url, read_only=True) as storage:
        assert optuna.get_all_study_names(storage) == ["mine"]
        with pytest.raises(StorageInternalError):
            optuna.create_study(storage=storage, study_name="other")
    assert (tmp_path / "x.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_who_looks_on_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with storage_at(url) as storage:
        optuna.create_study(storage=storage, study_name="mine")
        writer = sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)
        with storage_at(url, read_only=True) as second:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE studies SET study_name = 'other'")
            assert optuna.get_all_study_names(second) == ["mine"]
            writer.execute("COMMIT")
            assert optuna.get_all_study_names(second) == ["other"]
        writer.close()


def test_who_looks_on_makes_no_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with pytest.raises(StorageError, match="is not there"):
        open_storage(url, read_only=True)
    sqlite3.connect(tmp_path / "x.db").close()
    with pytest.raises(StorageError, match="it holds no studies of Optuna"):
        open_storage(url, read_only=True)
    assert (tmp_path / "x.db").read_bytes() == b""


def test_a_study_can_be_in_memory() -> None:
    with storage_at("sqlite://") as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(loss, n_trials=4)
        assert [t.number for t in study.trials] == list(range(4))


def test_threads_share_a_sqlite_file(tmp_path: Path) -> None:
    with storage_at(f"sqlite:///{tmp_path / 'x.db'}") as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(loss, n_trials=24, n_jobs=8)
        assert sorted(t.number for t in study.trials) == list(range(24))


@pytest.mark.parametrize("kind", DATABASES)
def test_a_server_takes_a_study(kind: str) -> None:
    url = os.environ.get(DATABASES[kind])
    if not url:
        pytest.skip(f"{DATABASES[kind]} names no database")
    with storage_at(url) as storage:
        study = optuna.create_study(storage=storage)
        study.optimize(loss, n_trials=8, n_jobs=2)
        assert len(study.trials) == 8
        optuna.delete_study(study_name=study.study_name, storage=storage)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("search.db", "must be an SQLAlchemy URL"),
        ("postgresql:/user:secret@host/name", "must be an SQLAlchemy URL"),
        ("postgresql://user:secret@host:port/name", "must be an SQLAlchemy URL"),
        ("sqlite://search.db", "three slashes"),
        ("sqllite:///search.db", "of an unknown kind"),
        ("oracle://user:secret@host/name", "needs the Python module"),
        ("sqlite:////nowhere/search.db", "there and writable?"),
        ("sqlite:////dev/null/search.db", "there and writable?"),
        ("postgresql+psycopg2://user:secret@127.0.0.1:1/name", "refused"),
        ("mysql+pymysql://user:secret@127.0.0.1:1/name", "refused"),
        ("postgresql+psycopg2://user:{secret}@127.0.0.1:1/name", "refused"),
        ("postgresql//user:secret@host", "must be an SQLAlchemy URL"),
        ("postgresql://user:secret%40host/name", "must be an SQLAlchemy URL"),
        ("mysql+pymysql://user:secret@host/name?ssl_ca=/nowhere", "cannot be opened: No such file"),
        ("user:secret@host", "must be an SQLAlchemy URL"),
        ("postgresql+psycopg2://user:sec\nret@127.0.0.1:1/name", "refused"),
        ("postgresql+psycopg2://user:secret@127.0.0.1:1/na\nme", "refused"),
        ("nodatabase://user:secret@host/name", "of an unknown kind"),
        ("postgresql+nodriver://user:secret@host/name", "of an unknown kind"),
        ("mysql+pymysql://user:p@secret@host/name", "%40 for an @"),
        ("mysql+pymysql://user:p@x/secret@host/name", "%40 for an @"),
        ("postgresql+psycopg2://127.0.0.1:1/name?user=me&password=secret", "refused"),
    ],
)
def test_what_cannot_be_opened_is_said_in_a_line_without_the_password(url: str, words: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_storage(url)
    message = str(caught.value)
    assert words in message
    assert "secret" not in message
    assert "ret@" not in message
    assert "\n" not in message


def test_a_missing_driver_is_named_with_one_that_can_be_had() -> None:
    if importlib.util.find_spec("MySQLdb"):
        pytest.skip("MySQLdb is installed")
    with pytest.raises(StorageError, match=r"MySQLdb, which is not installed.*mysql\+pymysql://"):
        open_storage("mysql://user:secret@127.0.0.1:1/name")


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("a letter to a friend, not a database at all")
    with pytest.raises(StorageError, match="not a database"):
        open_storage(f"sqlite:///{tmp_path / 'x.db'}")
    assert (tmp_path / "x.db").read_text().startswith("a letter")


def test_a_missing_file_is_not_made_where_it_should_be_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        open_storage(f"sqlite:///{tmp_path / 'x.db'}", create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host:1/name", "postgresql://user:***@host:1/name"),
        ("mysql+pymysql://user:se@cr:et@host/n", "mysql+pymysql://user:***@host/n"),
        ("postgresql://host/n?user=me&password=s", "postgresql://host/n?user=me&password=***"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("sqlite:///C:/a@b/search.db", "sqlite:///C:/a@b/search.db"),
        ("search.db", "search.db"),
        ("postgresql//user:secret@host", "postgresql//user:***@host"),
        ("postgresql:user:secret@host", "postgresql:***@host"),
        ("user:secret@host", "user:***@host"),
        ("postgresql://user:secret", "postgresql://user:***"),
        ("postgresql://user:secret%40host/n", "postgresql://user:***/n"),
        ("postgresql://user%3asecret@host/n", "postgresql://user%3a***@host/n"),
        ("https://host/n?user=me&token=s", "https://host/n?user=me&token=***"),
        ("at http://[::1]:80, https://b:443.", "at http://[::1]:80, https://b:443."),
        ("{'user': 'me', 'password': 's'}", "{'user': 'me', 'password': ***}"),
        ("user:sec\nret@host", "user:***@host"),
        ("postgresql://user:/%25:@se cret@[::1]:5/n", "postgresql://user:***@[::1]:5/n"),
        ("postgresql://user@corp:secret@host/n", "postgresql://user@corp:***@host/n"),
        ("postgresql://:a://secret@/n?host=/tmp", "postgresql://:***@/n?host=/tmp"),
        ("sqlite://user:secret@host/n", "sqlite://user:***@host/n"),
        ('missing "=" after "u:secret@h" in it', 'missing "=" after "u:***@h" in it'),
        ("host=h password='se cret' user=u", "host=h password=*** user=u"),
        (
            "search '--storage=mysql://h/n?passwd=s' -v",
            "search '--storage=mysql://h/n?passwd=***' -v",
        ),
        ("denied for 'u'@'h' (using password: YES)", "denied for 'u'@'h' (using password: YES)"),
        ("C:\\a@b at 12:30: trial 3", "C:\\a@b at 12:30: trial 3"),
    ],
)
def test_a_password_is_hidden_and_nothing_else(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert without_password(shown) == shown


def test_a_file_and_a_server_are_not_in_memory() -> None:
    assert is_in_memory("sqlite://")
    assert is_in_memory("sqlite:///:memory:")
    assert not is_in_memory("sqlite:///search.db")
    assert not is_in_memory("postgresql://user@host/name")
