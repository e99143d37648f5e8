"""Standard streams that are closed (`>&-`), or that nobody reads any more (`| head -1`)."""

from __future__ import annotations

import io
import os
import select
import sys

BROKEN_PIPE = 128 + 13
"""Exit status of a program that SIGPIPE ended, as shells show it."""


def open_closed_streams() -> io.StringIO | None:
    """Give the process standard streams where it was started without.

    The numbers 0 to 2 are taken by the null device, so that no file of ours gets one of them and
    what a library prints there.

    Returns:
        What is printed to standard output from now on; `None` where that was open.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Python has `None` for a stream that was closed, which the type checker does not know.
    streams: list[object] = [sys.stdout, sys.stderr]
    if streams[1] is None:
        sys.stderr = io.StringIO()
    if streams[0] is not None:
        return None
    sys.stdout = lost = io.StringIO()
    return lost


def is_broken_pipe(error: BaseException) -> bool:
    """Return True if a command ended because nobody reads what it prints.

    Click and Rich make a `SystemExit` of the error. Click's does not tell its cause, and Rich gives
    standard output another file.
    """
    if not isinstance(error, SystemExit):
        return isinstance(error, BrokenPipeError)
    if isinstance(error.__context__, BrokenPipeError):
        return True
    if error.code != 1 or not hasattr(select, "poll"):  # Windows has none
        return False
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def discard_output() -> None:
    """Let what is still to be printed go nowhere, so that Python says nothing of it at its end."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)
