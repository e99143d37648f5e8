"""psycopg 3 connections that limit the wait for an answer."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import waiting

from relativenas_optuna.storages.session_limits import answer_seconds, session_settings

if TYPE_CHECKING:
    from collections.abc import Generator

_SLICE = 0.5  # seconds between two checks of the limit


class PsycopgConnection(psycopg.Connection[Any]):
    """A connection whose calls fail if the server is silent for too long."""

    _silence = float("inf")

    def limit(self, read_timeout: float) -> None:
        """Limit the wait for each answer to `read_timeout` seconds, and for locks to 5/6 of it."""
        self._silence = read_timeout
        self.autocommit = True
        # Servers that only speak PostgreSQL's protocol may lack these settings.
        with suppress(psycopg.ProgrammingError):
            self.execute(session_settings(read_timeout))
        self.autocommit = False

    def wait(self, gen: Generator[Any, Any, Any], *_args: Any, **_options: Any) -> Any:
        """Run a generator of psycopg within the time limit; Ctrl-C closes the connection.

        psycopg itself would wait for the server once more after Ctrl-C.
        """
        try:
            return waiting.wait(self._watched(gen), self.pgconn.socket, interval=_SLICE)
        except (KeyboardInterrupt, _SilentError):
            self.pgconn.finish()
            raise

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif now - heard >= answer_seconds(self._silence):
                    raise _SilentError(f"timed out: no answer for {now - heard:.0f} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


class _SilentError(psycopg.OperationalError):
    """The server was silent for too long."""
