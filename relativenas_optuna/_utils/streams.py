"""Handle standard streams that are closed (`>&-`) or no longer read (`| head -1`)."""

from __future__ import annotations

import io
import os
import select
import sys

BROKEN_PIPE = 128 + 13
"""Exit status that a shell shows for a program ended by SIGPIPE."""


def open_closed_streams() -> io.StringIO | None:
    """Open the standard streams that were closed when the process started.

    File descriptors 0 to 2 get the null device. Otherwise one of our files could get such a number,
    and a library's output would end up in that file.

    Returns:
        A buffer that receives standard output from now on; None if standard output was open.
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
    """Return True if a command ended because nothing reads its output any more.

    Click and Rich replace `BrokenPipeError` with `SystemExit`, and Click's carries no cause. Then
    the state of standard output decides.
    """
    if not isinstance(error, SystemExit):
        return isinstance(error, BrokenPipeError)
    if isinstance(error.__context__, BrokenPipeError):
        return True
    if sys.platform == "win32" or error.code != 1:  # Windows has no `select.poll`
        return False
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def discard_output() -> None:
    """Discard all further standard output, so that Python reports no broken pipe at exit."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)
