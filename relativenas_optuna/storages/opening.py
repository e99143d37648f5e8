"""Functions that open SQL storages with settings for a search."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from relativenas_optuna._utils.passwords import without_password
from relativenas_optuna.exceptions import StorageError
from relativenas_optuna.storages.search_storage import SearchStorage
from relativenas_optuna.storages.sqlite_files import ReadOnlyConnection, SearchConnection
from relativenas_optuna.storages.timeouts import PLUGIN as TIMEOUTS
from relativenas_optuna.storages.timeouts import StorageTimeoutError
from relativenas_optuna.storages.urls import is_in_memory, is_missing, may_be_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from optuna import Study
    from optuna.trial import FrozenTrial
    from sqlalchemy.engine import URL

    StaleTrialCallback = Callable[[Study, FrozenTrial], None]

_BUSY_TIMEOUT = 60  # seconds that SQLite waits for another process's write
_HEARTBEAT = 60  # seconds between two heartbeats
_POOL: dict[str, Any] = {
    "pool_size": 16,  # connections that stay open once they were needed
    "max_overflow": 16,
    "pool_timeout": 2 * _BUSY_TIMEOUT,  # others may wait for SQLite with all the connections
}
_POOL_RECYCLE = 280  # seconds; hosted servers and proxies close what is idle for 5 minutes
_ATTEMPTS = 10
# Messages of the databases when several processes create the tables at the same moment.
_CONFLICTS = (
    "already exists",
    "duplicate",
    "unique constraint",
    "deadlock",
    "lock wait timeout",
    "concurrent",
    "try restarting transaction",
)
# Messages of the databases for a missing table.
_NOT_THERE = ("no such table", "does not exist", "doesn't exist")
_DRIVERS = {
    "postgresql": "postgresql+psycopg2://, after `pip install psycopg2-binary`",
    "mysql": "mysql+pymysql://, after `pip install pymysql`",
    "mariadb": "mysql+pymysql://, after `pip install pymysql`",
}


def open_storage(
    url: str,
    engine_kwargs: Mapping[str, Any] | None = None,
    skip_compatibility_check: bool = False,
    *,
    create: bool = True,
    read_only: bool = False,
    heartbeat_interval: int | None = _HEARTBEAT,
    heartbeat: int | None = _HEARTBEAT,
    grace_period: int | None = None,
    heartbeat_stale_trial_callback: StaleTrialCallback | None = None,
    failed_trial_callback: StaleTrialCallback | None = None,
    skip_table_creation: bool = False,
) -> SearchStorage:
    """Open the SQL database of a study, and create its tables where they are missing.

    SQLite is opened with a write-ahead log, so that readers and a writer do not block each other,
    and waits up to a minute for another process's write. It does not wait for the disk at every
    commit: a power cut may cost the last commits, a killed process costs none. Any number of
    processes may open a new database at once. A database in memory is seen only by the thread that
    opened it, and has no heartbeats.

    A connection to a server is tested before it is used again. If the server gives no answer for a
    minute, an operation raises `optuna.exceptions.StorageInternalError`. `connect_timeout` and
    `read_timeout` in the URL, in seconds, change these limits.

    While `study.optimize` runs a trial, it writes a heartbeat every `heartbeat_interval` seconds.
    If a trial has had no heartbeat for `grace_period` seconds, any other process that runs
    `study.optimize` on the study fails it, and its seat is free again. `study.ask` outside
    `study.optimize` writes no heartbeats, and Optuna warns of this at each call. Open the storage
    with `heartbeat_interval=None` in such a program.

    All arguments but `heartbeat`, `create` and `read_only` are those of
    `optuna.storages.RDBStorage`.

    Args:
        url: An SQLAlchemy URL, such as `sqlite:///search.db`, `postgresql://user@host/name` or
            `mysql+pymysql://user@host/name`.
        engine_kwargs: Arguments of `sqlalchemy.create_engine`. Each replaces the argument of the
            same name that this function sets, also within `connect_args`. `poolclass` or `pool`
            replaces all settings of the pool.
        skip_compatibility_check: True to open a database of another version of Optuna too.
        create: True to create a SQLite file that is missing.
        read_only: True to only read: no table is made, no setting is changed, and SQLite refuses
            writes. A writing process waits at most for one short read.
        heartbeat_interval: Seconds between two heartbeats of a trial, at least 1; None for no
            heartbeats.
        heartbeat: Second name of `heartbeat_interval`.
        grace_period: Seconds without a heartbeat after which a trial fails, at least 1; None for
            twice the `heartbeat_interval`.
        heartbeat_stale_trial_callback: Function that is called with the study and each stale trial,
            such as `optuna.storages.RetryHeartbeatStaleTrialCallback()`.
        failed_trial_callback: Deprecated name of `heartbeat_stale_trial_callback` in Optuna.
        skip_table_creation: True to create no tables where they are missing.

    Raises:
        StorageError: The URL is not readable, its driver is missing, the database does not answer
            or does not exist, or an argument is out of range.
    """
    _check_seconds("heartbeat_interval", heartbeat_interval, "no signs of life")
    _check_seconds("heartbeat", heartbeat, "no signs of life")
    if heartbeat != _HEARTBEAT:
        if heartbeat_interval not in (heartbeat, _HEARTBEAT):
            raise StorageError(
                f"heartbeat is a second name of heartbeat_interval: pass one of them, got "
                f"{heartbeat!r} and {heartbeat_interval!r}"
            )
        heartbeat_interval = heartbeat
    _check_seconds("grace_period", grace_period, "twice the heartbeat_interval")
    if heartbeat_stale_trial_callback is not None and failed_trial_callback is not None:
        raise StorageError(
            "failed_trial_callback is the older name of heartbeat_stale_trial_callback: pass one "
            "of them"
        )
    options = {
        "skip_compatibility_check": skip_compatibility_check,
        "heartbeat_interval": heartbeat_interval,
        "grace_period": grace_period,
        "heartbeat_stale_trial_callback": heartbeat_stale_trial_callback,
        "failed_trial_callback": failed_trial_callback,
        "skip_table_creation": skip_table_creation or read_only,
    }
    shown = without_password(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a ValueError for a port that is not a number
        raise StorageError(
            f"storage must be an SQLAlchemy URL, such as sqlite:///search.db; got {shown!r}"
        ) from None
    if parsed.get_backend_name() != "sqlite" and "@" in f"{parsed.host}{parsed.database}":
        # Parts of the password, which the driver would name in its messages.
        raise StorageError(
            f"storage must have %40 for an @, and %2F for a /, in its user and password; got "
            f"{shown!r}"
        )
    if (read_only or not create) and is_missing(parsed):
        raise StorageError(
            f"storage {shown} is not there: go to the folder of the search, or name its --storage"
        )
    try:
        engine = _engine_options(parsed, read_only=read_only)
        return _opened(url, _merged(engine, engine_kwargs or {}), options)
    except (NoSuchModuleError, ImportError) as error:
        raise StorageError(_missing_driver(shown, parsed, error)) from error
    except (  # an OSError is one of a driver that reads files, such as certificates
        SQLAlchemyError,
        StorageInternalError,
        RuntimeError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        raise StorageError(f"storage {shown} cannot be opened: {_reason(error, parsed)}") from error


@contextmanager
def storage_at(url: str, **options: Any) -> Iterator[SearchStorage]:
    """Open a storage with the options of `open_storage`, and close its connections at the end."""
    storage = open_storage(url, **options)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def storage_reason(error: BaseException) -> str:
    """Return the first line of the database's own message in an error of SQLAlchemy or Optuna."""
    guess = isinstance(error, StorageInternalError) and not isinstance(error, StorageTimeoutError)
    if guess and error.__cause__:
        error = error.__cause__  # Optuna's own message guesses
    original = getattr(error, "orig", None) or error
    if len(original.args) == 2 and isinstance(original.args[0], int):
        original = original.args[1]  # without MySQL's number
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__


def _check_seconds(name: str, seconds: object, otherwise: str) -> None:
    if seconds is not None and (type(seconds) is not int or seconds < 1):
        raise StorageError(
            f"{name} must be a whole number of seconds, at least 1, or None for {otherwise}; got "
            f"{seconds!r}"
        )


def _merged(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `sqlalchemy.create_engine` in which the user's replace ours."""
    if "poolclass" in theirs or "pool" in theirs:
        ours = {name: value for name, value in ours.items() if name not in _POOL}
    connecting = {**ours.get("connect_args", {}), **theirs.get("connect_args", {})}
    return ours | dict(theirs) | ({"connect_args": connecting} if connecting else {})


def _opened(url: str, engine: dict[str, Any], options: dict[str, Any]) -> SearchStorage:
    url = url.replace("{", "{{").replace("}", "}}")  # Optuna takes it for a template
    if is_in_memory(url):
        # A separate thread writes heartbeats, and would see an empty database.
        options = options | {"heartbeat_interval": None}
    for attempt in range(_ATTEMPTS):
        try:
            return SearchStorage(url, dict(engine), **options)
        except (SQLAlchemyError, StorageInternalError) as error:
            if attempt == _ATTEMPTS - 1 or not _made_by_another(error):
                raise
            # A random wait, so that the processes do not all try again at the same moment.
            time.sleep(random.uniform(0.5, 1) * 0.1 * (attempt + 1))
    raise AssertionError("the last attempt returns or raises")


def _engine_options(parsed: URL, *, read_only: bool) -> dict[str, Any]:
    if parsed.get_backend_name() == "sqlite":
        factory = ReadOnlyConnection if read_only else SearchConnection
        connecting = {"connect_args": {"timeout": _BUSY_TIMEOUT, "factory": factory}}
        if is_in_memory(str(parsed)):
            return connecting
        # A new connection each time: a file that no process writes now may be written later.
        fleeting = read_only and not may_be_written(str(parsed))
        return connecting | _POOL | ({"pool_recycle": 0} if fleeting else {})
    more = {"pool_pre_ping": True, "pool_recycle": _POOL_RECYCLE, "plugins": [TIMEOUTS]}
    return _POOL | more


def _made_by_another(error: Exception) -> bool:
    """Return True if another process made the tables at the same moment."""
    reason = storage_reason(error).lower()
    return any(words in reason for words in _CONFLICTS)


def _missing_driver(shown: str, parsed: URL, error: BaseException) -> str:
    backend = parsed.get_backend_name()
    if isinstance(error, NoSuchModuleError):
        ways = "sqlite:///FILE, postgresql:// or mysql+pymysql://"
        return f"storage {shown} is of an unknown kind: use {ways}"
    module = error.__cause__.name if isinstance(error.__cause__, ImportError) else None
    what = f"the Python module {module}" if module else "a database driver"
    way = _DRIVERS.get(backend)
    return f"storage {shown} needs {what}, which is not installed" + (
        f": install it, or write {way}" if way else ": install it"
    )


def _reason(error: Exception, parsed: URL) -> str:
    reason = storage_reason(error)
    if parsed.get_backend_name() == "sqlite":
        if isinstance(error, ArgumentError):
            return "a file is written with three slashes, such as sqlite:///search.db"
        if "unable to open" in reason:
            return f"{reason}; is the folder of {parsed.database!r} there and writable?"
        if "readonly" in reason:
            return f"{reason}; copy {parsed.database!r} to a folder that you may write"
    if "version_info" in reason and any(words in reason for words in _NOT_THERE):
        return "it holds no studies of Optuna"
    return without_password(reason)
