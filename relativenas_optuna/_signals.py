"""Ctrl-C and SIGTERM as one exception."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN = 0.05  # seconds
BESIDE_VARIABLE = "RELATIVENAS_BESIDE"
"""In the environment of a process that works for a command, which has the signals of both."""


class Interrupted(Exception):
    """A signal in mid-work; the message says what was saved.

    It is no `KeyboardInterrupt`, because Click takes those for its own.
    """


@contextmanager
def signals_as_interrupts() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM raise `KeyboardInterrupt`; yields the numbers of those that came.

    Python drops an exception that is raised while an object is being freed: then it is raised
    again a moment later. Afterwards the signals end the process at once, so that its own end is not
    interrupted with a traceback. A signal that is ignored, as in the background of a shell, stays
    ignored.
    """
    received: list[int] = []
    show_dropped = sys.unraisablehook

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if received and issubclass(what.exc_type, KeyboardInterrupt):
            threading.Timer(_AGAIN, _raise_in_main_thread, [received[-1]]).start()
        else:
            show_dropped(what)

    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    sys.unraisablehook = dropped
    try:
        yield received
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = show_dropped


def _raise_in_main_thread(number: int) -> None:
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        signal.raise_signal(number)
    else:
        signal.pthread_kill(main, number)  # which also ends its sleep
