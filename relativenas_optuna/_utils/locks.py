"""Locks among the processes of one machine, which end with the process, however it ends."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05  # seconds between two attempts


@contextmanager
def locked(path: Path, *, patience: float | None = None) -> Iterator[bool]:
    """Hold the lock that is this file.

    Args:
        path: Made where it is missing, and left.
        patience: Seconds to wait for it; `None`: for ever.

    Yields:
        Whether the lock is held; always where `patience` is `None`.

    Raises:
        OSError: The file cannot be made; or, with `patience=None`, its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _forever(descriptor, path) if patience is None else _within(descriptor, patience)
    finally:
        os.close(descriptor)


def _forever(descriptor: int, path: Path) -> bool:
    if sys.platform == "win32":
        raise OSError(f"{str(path)!r} cannot be locked on Windows: keep the study in a database")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise OSError(
            f"{str(path)!r} cannot be locked ({error.strerror}): keep the study in a database, or "
            f"the file on a file system with locks"
        ) from error
    return True


def _within(descriptor: int, patience: float) -> bool:
    if sys.platform == "win32":
        return False
    end, pause = time.monotonic() + patience, _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
        except OSError:
            return False  # a file system without locks
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
