"""Connections to SQLite files: for a search, and for read-only use."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

_WAL = b"\x02\x02"  # in a file's header, where it is kept with a write-ahead log
_FORMAT = slice(18, 20)


class SearchConnection(sqlite3.Connection):
    """A connection to a SQLite file with a write-ahead log, which does not wait for the disk."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


class ReadOnlyConnection(sqlite3.Connection):
    """A connection to a SQLite file that changes neither the file nor its folder."""

    def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
        if is_immutable(database):
            database = f"{Path(database).as_uri()}?immutable=1"
            options["uri"] = True
        super().__init__(database, *arguments, **options)
        self.execute("PRAGMA query_only=ON")


def is_immutable(database: str | Path) -> bool:
    """Return True if a SQLite file must be opened with SQLite's option `immutable`.

    SQLite needs a second file to read a database that uses a write-ahead log. This process cannot
    create it if it may not write to the folder. It must not create it if it may not write to the
    database, since the database's owner could not write to the second file then. The file with the
    ending `-wal` exists while any process has the database open, and is used if it is there.
    """
    path = Path(database)
    if may_write(path) or Path(f"{path}-wal").exists():
        return False
    try:
        with path.open("rb") as file:
            return file.read(_FORMAT.stop)[_FORMAT] == _WAL
    except OSError:
        return False  # SQLite says why


def may_write(path: Path) -> bool:
    """Return True if this process may write to a SQLite file and to its folder."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK | os.X_OK)
