"""psycopg2 connections that Ctrl-C can interrupt, and that limit the wait for an answer."""

from __future__ import annotations

import selectors
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2 import extensions

from relativenas_optuna.storages.session_limits import answer_seconds, session_settings

_SLICE = 0.5  # seconds between two checks of the limit, which another thread may lower
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Psycopg2Connection(extensions.connection):
    """A connection whose calls wait in Python, with a time limit.

    Without this class libpq waits in C, without a limit and deaf to Ctrl-C.

    Args:
        dsn: Connection string, as `psycopg2.connect` takes it.
        read_timeout: Seconds without a byte from the server after which a call fails.
        options: Further arguments of `psycopg2.connect`.
    """

    def __init__(self, dsn: str, *, read_timeout: float, **options: Any) -> None:
        self.silence = float(extensions.parse_dsn(dsn)["connect_timeout"])
        with _CALLBACK:
            super().__init__(dsn, **options)
            self.silence = read_timeout
            self.cursor_factory = _Cursor
            self.autocommit = True
            # Servers that only speak PostgreSQL's protocol may lack these settings.
            with suppress(psycopg2.ProgrammingError), self.cursor() as cursor:
                cursor.execute(session_settings(read_timeout))
            self.autocommit = False

    def commit(self) -> None:
        """Commit the transaction."""
        with _CALLBACK:
            super().commit()

    def rollback(self) -> None:
        """Roll the transaction back."""
        with _CALLBACK:
            super().rollback()


class _Cursor(extensions.cursor):
    def execute(self, *args: Any, **options: Any) -> None:
        with _CALLBACK:
            super().execute(*args, **options)

    def executemany(self, *args: Any, **options: Any) -> None:
        with _CALLBACK:
            super().executemany(*args, **options)


class _Callback:
    """Switch for psycopg2's wait callback, of which a process has only one.

    The callback is set only during calls of these connections, since psycopg2 refuses COPY while
    one is set. A callback that the program has set, for example for gevent, stays. psycopg2's own
    connections in other threads use the callback too if it is set when their calls begin, and raise
    "wait callback not available" if it is unset before these calls wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0

    def __enter__(self) -> None:
        with self._lock:
            self._calls += 1
            if extensions.get_wait_callback() is None:
                extensions.set_wait_callback(_wait)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            if not self._calls and extensions.get_wait_callback() is _wait:
                extensions.set_wait_callback(None)


def _wait(connection: Any) -> None:
    heard = time.monotonic()
    while (state := connection.poll()) != extensions.POLL_OK:
        wanted = selectors.EVENT_WRITE if state == extensions.POLL_WRITE else selectors.EVENT_READ
        with _Selector() as selector:
            selector.register(connection.fileno(), wanted)
            ready = selector.select(_SLICE)
        now = time.monotonic()
        if ready:
            heard = now
        elif now - heard >= answer_seconds(getattr(connection, "silence", float("inf"))):
            raise psycopg2.OperationalError(f"timed out: no answer for {now - heard:.0f} seconds")


_CALLBACK = _Callback()
