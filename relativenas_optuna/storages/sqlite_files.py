"""Connections to SQLite files: for a search, and for who only looks."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

_WAL = b"\x02\x02"  # in a file's header, where it is kept with a write-ahead log
_FORMAT = slice(18, 20)


class SearchConnection(sqlite3.Connection):
    """A connection to a SQLite file that has its settings from the beginning."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


class ReadOnlyConnection(sqlite3.Connection):
    """A connection to a SQLite file that leaves it as it is, and the folder too."""

    def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
        if is_immutable(database):
            database = f"{Path(database).as_uri()}?immutable=1"
            options["uri"] = True
        super().__init__(database, *arguments, **options)
        self.execute("PRAGMA query_only=ON")


def is_immutable(database: str | Path) -> bool:
    """Return True if a SQLite file can be read only as one that nobody changes.

    A file with a write-ahead log needs another file beside it. This process cannot make that where
    it may not write the folder, and must not where it may not write the database: its owner could
    not write that file. While anybody has the database open, the write-ahead log is there.
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
    """Return True if this process may write a SQLite file, which takes its folder too."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK | os.X_OK)
