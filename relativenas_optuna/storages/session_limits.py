"""Time limits of a connection to a database server: for answers, for locks, and when idle."""

from __future__ import annotations

from relativenas_optuna._utils.patience import AT_THE_END, limited
from relativenas_optuna.storages.interruption import is_interrupted


def answer_seconds(read_timeout: float) -> float:
    """Return the seconds to wait for an answer in this thread now: only a few after Ctrl-C."""
    return limited(AT_THE_END if is_interrupted() else read_timeout)


def lock_seconds(read_timeout: float) -> int:
    """Return the seconds that the server may wait for a lock: five sixths of `read_timeout`."""
    return max(1, int(read_timeout * 5 / 6))


def session_settings(read_timeout: float) -> str:
    """Return SQL that sets the time limits of a PostgreSQL session that still has the defaults."""
    seconds = lock_seconds(read_timeout)
    values = {
        "lock_timeout": f"{seconds}s",
        # So that others get the locks of a process that is stopped or unreachable.
        "idle_in_transaction_session_timeout": f"{max(60, seconds)}s",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    cases = " ".join(f"WHEN '{name}' THEN '{value}'" for name, value in values.items())
    names = ", ".join(f"'{name}'" for name in values)
    return (
        f"SELECT set_config(name, CASE name {cases} END, false) FROM pg_settings "
        f"WHERE source = 'default' AND name IN ({names})"
    )
