"""Ctrl-C and SIGTERM as one exception."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal in mid-work; the message says what was saved. Click has its own way with others."""


@contextmanager
def signals_as_interrupts() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM raise `KeyboardInterrupt`; yields the numbers of those that came.

    Afterwards they end the process at once, so that its own end is no longer interrupted with a
    traceback. A signal that is ignored, as in the background of a shell, stays ignored.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
