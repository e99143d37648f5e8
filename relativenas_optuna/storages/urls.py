"""Questions that the URL of a database answers before the database is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from relativenas_optuna.storages.sqlite_files import may_write

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def is_in_memory(url: str) -> bool:
    """Return True if a URL names a SQLite database in memory, which ends with the process."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and (
        parsed.database in (None, "", ":memory:") or parsed.query.get("mode") == "memory"
    )


def is_missing_file(url: str) -> bool:
    """Return True if a URL names a SQLite file that does not exist; False for no URL at all."""
    try:
        return is_missing(make_url(url))
    except (ArgumentError, ValueError):
        return False


def is_missing(parsed: URL) -> bool:
    """Return True if a parsed URL names a SQLite file that does not exist."""
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or name is None or is_in_memory(str(parsed)):
        return False
    return not name.startswith("file:") and not Path(name).exists()


def may_be_written(url: str) -> bool:
    """Return False if a URL names an existing SQLite file that this process may not write."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return True
    path = Path(parsed.database or "")
    return parsed.get_backend_name() != "sqlite" or not path.is_file() or may_write(path)
