"""PyMySQL connections that wait only a short time for an answer after Ctrl-C."""

from __future__ import annotations

from typing import Any

from pymysql.connections import Connection

from relativenas_optuna.storages.session_limits import answer_seconds


class PyMySQLConnection(Connection):
    """A connection whose commands wait only a short time for their answers after Ctrl-C.

    Args:
        args: Positional arguments of `pymysql.connect`.
        read_timeout: Seconds without a byte from the server after which a command fails.
        options: Further arguments of `pymysql.connect`.
    """

    def __init__(self, *args: Any, read_timeout: float, **options: Any) -> None:
        self._longest = read_timeout
        super().__init__(*args, read_timeout=answer_seconds(read_timeout), **options)

    def _execute_command(self, *args: Any) -> None:
        self._read_timeout = answer_seconds(self._longest)
        super()._execute_command(*args)
