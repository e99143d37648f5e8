"""Time-outs of the connections to PostgreSQL, MySQL and MariaDB: no operation waits for hours."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError
from sqlalchemy import event
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import CreateEnginePlugin

from relativenas_optuna.storages.session_limits import answer_seconds, lock_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.interfaces import ExceptionContext

PLUGIN = "relativenas_timeouts"
"""Name of the plugin, for `create_engine(..., plugins=[PLUGIN])`."""

_CONNECT = 15  # seconds
_READ = 60  # seconds without a byte from the server
_GIVEN_UP = 10.0  # seconds
_NO_ANSWER = (
    "no answer in time, by a silent network or server or by a lock that another program holds"
)
# Parts of the messages of drivers and servers after a time-out.
_TIMED_OUT = ("timed out", "timeout expired", "lock timeout", "lock wait timeout", "timeouterror")


class StorageTimeoutError(StorageInternalError):
    """Error raised if the database gives no answer in time; earlier commits are kept."""


class Timeouts(CreateEnginePlugin):
    """SQLAlchemy plugin that sets and enforces time-outs for an engine's connections.

    A server has 15 seconds to accept a connection (`connect_timeout`) and then 60 seconds for each
    answer (`read_timeout`, here also for PostgreSQL). The URL or `connect_args` can set both. The
    limit for locks is a little lower. After a time-out `StorageTimeoutError` is raised. For the
    next 10 seconds each call of the thread raises it at once, so that it does not wait again.
    Ctrl-C interrupts a wait.
    """

    def __init__(self, url: Any, kwargs: dict[str, Any]) -> None:
        """Accept the arguments that SQLAlchemy gives to each plugin; none is needed here."""

    def update_url(self, url: Any) -> Any:
        """Return the URL as it is."""
        return url

    def engine_created(self, engine: Engine) -> None:
        """Start to enforce the time-outs of a new engine."""
        connect = _CONNECTS.get(engine.dialect.driver)
        if connect is not None:
            _Listener(connect).listen(engine)


class _Listener:
    """Listener that enforces the time-outs of one engine.

    Args:
        connect: Function that connects to the server.
    """

    def __init__(self, connect: Callable[..., Any]) -> None:
        self._connect = connect
        self._of_thread = threading.local()

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._do_connect)
        event.listen(engine, "checkout", self._refuse)
        event.listen(engine, "handle_error", self._handle)

    def _do_connect(self, _dialect: Any, _record: Any, args: Any, options: dict[str, Any]) -> Any:
        self._refuse()
        options = {"connect_timeout": _CONNECT, "read_timeout": _READ} | options
        options["connect_timeout"] = answer_seconds(float(options["connect_timeout"]))
        return self._connect(*args, **options)

    def _refuse(self, *_: Any) -> None:
        if time.monotonic() < getattr(self._of_thread, "until", 0.0):
            raise StorageTimeoutError(_NO_ANSWER)

    def _handle(self, context: ExceptionContext) -> None:
        error = context.original_exception
        # After a failed ping the pool connects anew.
        if not context.is_pre_ping and any(words in str(error).lower() for words in _TIMED_OUT):
            self._of_thread.until = time.monotonic() + _GIVEN_UP
            raise StorageTimeoutError(_NO_ANSWER) from error


def _psycopg2(*args: Any, read_timeout: float | str, **options: Any) -> Any:
    import psycopg2

    from relativenas_optuna.storages.psycopg2_waiting import Psycopg2Connection

    factory = partial(Psycopg2Connection, read_timeout=float(read_timeout))
    options = _keepalives(psycopg2.extensions.libpq_version()) | options
    return psycopg2.connect(*args, **{"connection_factory": factory, **_whole(options)})


def _psycopg(*args: Any, read_timeout: float | str, **options: Any) -> Any:
    from psycopg import pq

    from relativenas_optuna.storages.psycopg_waiting import PsycopgConnection

    options = _keepalives(pq.version()) | options
    made = PsycopgConnection.connect(*args, **_whole(options))
    made.limit(float(read_timeout))
    return made


def _pymysql(*args: Any, read_timeout: float | str, **options: Any) -> Any:
    from relativenas_optuna.storages.pymysql_waiting import PyMySQLConnection

    seconds = float(read_timeout)
    return PyMySQLConnection(*args, **_mysql(seconds) | options | {"read_timeout": seconds})


def _mysqldb(*args: Any, read_timeout: float | str, **options: Any) -> Any:
    import MySQLdb

    seconds = float(read_timeout)
    options = _mysql(seconds) | options | {"read_timeout": max(1, round(seconds))}
    return MySQLdb.connect(*args, **_whole(options))


_CONNECTS = {
    "psycopg2": _psycopg2,
    "psycopg": _psycopg,
    "pymysql": _pymysql,
    "mysqldb": _mysqldb,
}


def _mysql(seconds: float) -> dict[str, Any]:
    most = lock_seconds(seconds)
    names = ("innodb_lock_wait_timeout", "lock_wait_timeout")
    limits = ", ".join(f"{name} = LEAST(@@{name}, {most})" for name in names)
    return {"write_timeout": max(1, round(seconds)), "init_command": f"SET SESSION {limits}"}


def _keepalives(libpq: int) -> dict[str, Any]:
    """Return options that end a connection after a minute if the other machine is gone."""
    options = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return options | ({"tcp_user_timeout": 60_000} if libpq >= 120_000 else {})


def _whole(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with `connect_timeout` as a whole number, as C libraries need it."""
    return options | {"connect_timeout": max(1, round(options["connect_timeout"]))}


plugins.register(PLUGIN, __name__, Timeouts.__name__)
