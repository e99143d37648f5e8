"""Named points at which a test lets a process die, or its disk be full."""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter

VARIABLE = "RELATIVENAS_FAULT"
POINTS = ("half", "rename", "pointer", "pointed", "remove")
"""Half of a file is written; all of it, under another name; it is complete, and the pointer does
not name it yet; the pointer names it, and nothing else was done; old files are to be removed."""

_passed: Counter[str] = Counter()


def fault(name: str) -> None:
    """Pass a point: nothing happens, unless a test asked for it by the environment.

    With `RELATIVENAS_FAULT=half:3` the process kills itself when it passes the point "half" for the
    third time; with `half:3:full` the disk is full there.

    Raises:
        OSError: The disk is said to be full.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, number, *how = wanted.split(":")
    _passed[name] += 1
    if point != name or _passed[name] != int(number):
        return
    if how == ["full"]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.kill(os.getpid(), signal.SIGKILL)
