"""SQL storages with settings that suit a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_BUSY_TIMEOUT = 60  # seconds that SQLite waits for another process's write


class StorageError(ValueError):
    """A storage that cannot be opened. The message is one line without the password."""


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """Open the SQL database of a study, and create its tables where they are missing.

    SQLite is opened with a write-ahead log, so that readers and a writer do not block each other,
    and waits up to a minute for another process's write. It does not wait for the disk at every
    commit: a power cut may cost the last commits, a killed process costs none. Connections to a
    server are tried before they are used again.

    Args:
        url: An SQLAlchemy URL, such as `sqlite:///search.db`, `postgresql://user@host/name` or
            `mysql+pymysql://user@host/name`.

    Raises:
        StorageError: The URL is none, its driver is missing, or the database does not answer.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError(
            f"storage must be an SQLAlchemy URL, such as sqlite:///search.db; got {url!r}"
        ) from None
    shown = parsed.render_as_string(hide_password=True)
    sqlite = parsed.get_backend_name() == "sqlite"
    options: dict[str, Any] = (
        {"connect_args": {"timeout": _BUSY_TIMEOUT}} if sqlite else {"pool_pre_ping": True}
    )
    try:
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
    except (NoSuchModuleError, ImportError) as error:
        raise StorageError(
            f"storage {shown} needs a database driver that is not installed ({_first_line(error)})"
        ) from error
    except (SQLAlchemyError, RuntimeError) as error:
        raise StorageError(f"storage {shown} cannot be opened: {_reason(error, parsed)}") from error
    if sqlite:
        event.listen(storage.engine, "connect", _prepare_sqlite)
        if parsed.database not in (None, "", ":memory:"):
            storage.engine.dispose()  # the first connections were made before the listener
    return storage


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _reason(error: Exception, url: URL) -> str:
    original = getattr(error, "orig", None) or error.__cause__ or error
    reason = _first_line(original)
    if url.get_backend_name() == "sqlite" and "unable to open" in reason:
        return f"{reason}; is the folder of {url.database!r} there and writable?"
    return reason


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
