"""Lock files between the processes of one machine; the end of a process releases its locks."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Timeout", "locked"]

_PAUSE = 0.01  # seconds between two attempts


@contextmanager
def locked(
    path: str | Path, *, timeout: float | None = None, remove: bool = False
) -> Iterator[bool]:
    """Hold a lock file.

    Args:
        path: Path of the lock file, which is made if it is missing.
        timeout: Longest time to wait for the lock, in seconds; None to wait for ever.
        remove: True to remove the file at the end.

    Yields:
        True if the lock is held; always True if `timeout` is None.

    Raises:
        Timeout: Another process or thread holds the lock; only if `timeout` is 0.
        OSError: The lock file cannot be made, or its file system has no locks; only if `timeout` is
            None.
    """
    lock = FileLock(path, timeout=-1 if timeout is None else timeout, mode=0o666)
    held = False
    try:
        if not Path(path).parent.is_dir():  # filelock would make a folder that was moved away
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        lock.acquire(poll_interval=_PAUSE)
        held = True
    except Timeout:
        if timeout == 0:
            raise
    except (NotImplementedError, OSError) as error:
        # With a timeout, a caller goes on without a lock, as in a folder that can only be read.
        if timeout is None:
            reason = getattr(error, "strerror", None) or error
            raise OSError(
                f"{str(path)!r} cannot be locked ({reason}): keep the study in a database, or the "
                f"file on a file system with locks"
            ) from error
    try:
        yield held
    finally:
        if held and remove:
            with suppress(OSError):  # on Windows the release removes it
                Path(path).unlink()
        lock.release()
