"""Time limits for answers from a database, which shrink once the process is about to end."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_THE_END = 3.0
"""Longest time that a process waits for one answer after Ctrl-C, in seconds."""

_of_thread = threading.local()
_signals: list[Sequence[int]] = []


def limited(seconds: float) -> float:
    """Return how many seconds to wait for an answer: `seconds`, or fewer if a limit applies.

    The limits are `AT_THE_END` after a signal, and the limit of `at_most` in this thread.
    """
    if any(_signals) or follows_ctrl_c(sys.exc_info()[1]):
        seconds = min(seconds, AT_THE_END)
    return min(seconds, getattr(_of_thread, "seconds", seconds))


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit each wait of this thread inside the block to `seconds` seconds."""
    before = getattr(_of_thread, "seconds", float("inf"))
    _of_thread.seconds = min(seconds, before)
    try:
        yield
    finally:
        _of_thread.seconds = before


@contextmanager
def less_after(signals: Sequence[int]) -> Iterator[None]:
    """Limit each wait of all threads to `AT_THE_END` seconds once `signals` is not empty.

    Args:
        signals: Numbers of the received signals, a list that grows during the block.
    """
    _signals.append(signals)
    try:
        yield
    finally:
        _signals.remove(signals)


def follows_ctrl_c(error: BaseException | None, outer: BaseException | None = None) -> bool:
    """Return True if an error is a `KeyboardInterrupt` or was raised while one was handled.

    Args:
        error: Error to check; None gives False.
        outer: Error that was being handled already. It and its causes are not checked.
    """
    while error is not None and error is not outer:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
