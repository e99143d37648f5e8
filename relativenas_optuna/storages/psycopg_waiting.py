"""Connections of psycopg 3 that do not wait for ever for an answer."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import waiting

from relativenas_optuna.storages.session_limits import answer_seconds, session_settings

if TYPE_CHECKING:
    from collections.abc import Generator

_SLICE = 0.5  # seconds after which the limit is looked at anew


class PsycopgConnection(psycopg.Connection[Any]):
    """A connection that fails where the server is silent for too long."""

    _silence = float("inf")

    def limit(self, read_timeout: float) -> None:
        """Let each answer take so many seconds from now on, and locks a little less."""
        self._silence = read_timeout
        self.autocommit = True
        # A server that is none of PostgreSQL's own may have no such settings.
        with suppress(psycopg.ProgrammingError):
            self.execute(session_settings(read_timeout))
        self.autocommit = False

    def wait(self, gen: Generator[Any, Any, Any], *_args: Any, **_options: Any) -> Any:
        """See psycopg, which after Ctrl-C would wait for the server once more."""
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
    """The server said nothing for too long."""
