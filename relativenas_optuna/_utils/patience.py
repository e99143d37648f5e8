"""How long this process waits for an answer from a database; less once it is about to end."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_THE_END = 3.0
"""Seconds that a process waits for each answer after Ctrl-C."""

_of_thread = threading.local()
_signals: list[Sequence[int]] = []


def limited(seconds: float) -> float:
    """Return the seconds to wait for an answer: these, or fewer where this process is to end."""
    if any(_signals) or follows_ctrl_c(sys.exc_info()[1]):
        seconds = min(seconds, AT_THE_END)
    return min(seconds, getattr(_of_thread, "seconds", seconds))


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let this thread wait no longer than so many seconds for each answer."""
    before = getattr(_of_thread, "seconds", float("inf"))
    _of_thread.seconds = min(seconds, before)
    try:
        yield
    finally:
        _of_thread.seconds = before


@contextmanager
def less_after(signals: Sequence[int]) -> Iterator[None]:
    """Let all threads wait `AT_THE_END` seconds at most as soon as a signal is listed."""
    _signals.append(signals)
    try:
        yield
    finally:
        _signals.remove(signals)


def follows_ctrl_c(error: BaseException | None, outer: BaseException | None = None) -> bool:
    """Return True if an error is a `KeyboardInterrupt`, or came while one was handled.

    Args:
        error: The error.
        outer: An error that was handled before, which does not count.
    """
    while error is not None and error is not outer:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
