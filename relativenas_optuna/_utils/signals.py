"""Handle Ctrl-C and SIGTERM: both raise `KeyboardInterrupt`."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN = 0.05  # seconds
_SAME = 1.0  # seconds in which another signal counts as the same: terminals and launchers send two
BESIDE_VARIABLE = "RELATIVENAS_BESIDE"
"""Environment variable of a local worker. It identifies the command's process, as JSON.

Only the command handles Ctrl-C; see `cli.local_workers.end_with_command`.
"""


class Interrupted(Exception):
    """Exception raised when a signal interrupts a command; the message says what was saved.

    It is not a `KeyboardInterrupt`, because Click handles those itself.
    """


@contextmanager
def signals_as_interrupts() -> Iterator[list[int]]:
    """Raise `KeyboardInterrupt` on Ctrl-C and SIGTERM inside the block.

    The first signal raises. A second signal is ignored within one second of the first, and later
    ends the process at once. Data that was saved before stays saved.

    Python drops an exception that is raised while an object is being freed; the exception is then
    raised again after 0.05 seconds. A signal that was ignored before the block, as in a shell's
    background job, stays ignored. If no signal came, the system's default handlers are restored,
    so that a later signal ends the process without a traceback.

    Yields:
        The numbers of the received signals, a list that grows during the block.
    """
    received: list[int] = []
    first = 0.0  # when the first signal came
    dropped_once = threading.Event()
    show_dropped = sys.unraisablehook

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not received:
            first = time.monotonic()
        elif not dropped_once.is_set():
            if time.monotonic() - first >= _SAME:
                _end_now(number)
            return
        dropped_once.clear()
        received.append(number)
        raise KeyboardInterrupt

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if received and issubclass(what.exc_type, KeyboardInterrupt):
            dropped_once.set()
            threading.Timer(_AGAIN, raise_in_main_thread, [received[-1]]).start()
        else:
            show_dropped(what)

    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    sys.unraisablehook = dropped
    last_resort = logging.lastResort
    if last_resort is not None:
        last_resort.addFilter(_is_no_interrupt)
    try:
        yield received
    finally:
        dropped_once.clear()
        if not received:
            for number in heard:
                signal.signal(number, signal.SIG_DFL)
        if last_resort is not None:
            last_resort.removeFilter(_is_no_interrupt)
        sys.unraisablehook = show_dropped


def _end_now(number: int) -> None:
    if not os.environ.get(BESIDE_VARIABLE):
        with contextlib.suppress(OSError):  # nothing reads standard error any more
            os.write(2, b"\ninterrupted again: ended at once; what was saved before is kept\n")
    os._exit(128 + number)


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    """Return False for a log of an interrupt, which SQLAlchemy writes and raises."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, KeyboardInterrupt)


def raise_in_main_thread(number: int) -> None:
    """Send a signal to the main thread; callable from any thread."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        signal.raise_signal(number)
    else:
        signal.pthread_kill(main, number)  # which also ends its sleep


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Make processes that are started inside the block ignore Ctrl-C.

    A terminal sends Ctrl-C to all processes of a command. This process ends the others by another
    signal, and must not interrupt them twice.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
