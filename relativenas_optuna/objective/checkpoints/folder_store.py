"""Files of weights in a folder."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna._utils.locks import locked
from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.objective.checkpoints.parts import Stored, check_name
from relativenas_optuna.objective.checkpoints.store import (
    TAG,
    missing,
    tag_of,
    this_machine,
    verified,
)

_LOCK_NAME = ".weights.lock"
_PATIENCE = 60.0  # seconds; the lock spares work, and nothing is lost without it
_LEFT_AGE = 600.0  # seconds; long enough for another machine to point to what it wrote
# Also under the name that a file has while it is written.
_FILE = re.compile(rf"\.?weights-([0-9a-f]{{{TAG}}})-([0-9a-f]{{{TAG}}})-[a-z0-9.-]+")


class FolderStore:
    """A folder, shared by the processes that see it; several searches may use one.

    Args:
        folder: Made where it is missing.

    Raises:
        OSError: It cannot be made or written to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            reason = f"a folder for weights cannot be made or written to ({error.strerror})"
            raise type(error)(error.errno, f"{reason}; give another", str(folder)) from error

    def __str__(self) -> str:
        return f"folder {str(self.folder)!r}"

    def put(self, name: str, content: bytes) -> Stored:
        """See `Store`."""
        stored = Stored.of(name, content)
        write_whole(self.folder / name, content)
        return stored

    def get(self, stored: Stored) -> bytes:
        """See `Store`."""
        try:
            with open(self.folder / stored.name, "rb", opener=_without_waiting) as file:
                return verified(file, stored)
        except FileNotFoundError as error:
            raise missing(stored) from error
        except OSError as error:
            raise DamagedFileError(
                f"weights file {stored.name!r} cannot be read: {error.strerror or error}"
            ) from error

    def holds(self, stored: Stored) -> bool:
        """See `Store`."""
        return (self.folder / stored.name).exists()

    def remove(self, name: str) -> None:
        """See `Store`."""
        (self.folder / check_name(name)).unlink(missing_ok=True)

    def lock(self) -> AbstractContextManager[bool]:
        """See `Store`; the lock is of this machine's processes at least."""
        return locked(self.folder / _LOCK_NAME, patience=_PATIENCE)

    def clean(self, keep: Collection[str], *, search: str, alone: bool) -> None:
        """See `Store`.

        Under the lock nobody else of this machine is about to point to a file. What others wrote is
        left for ten minutes.
        """
        found = [(path, _FILE.fullmatch(path.name)) for path in self.folder.iterdir()]
        left = [
            (path, match[2])
            for path, match in found
            if match is not None and match[1] == tag_of(search) and path.name not in keep
        ]
        here, now = this_machine(), _now(self.folder) if left else 0.0
        for path, machine in left:
            if (alone and machine == here) or _age(path, now) > _LEFT_AGE:
                with suppress(OSError):  # a folder, say, which somebody put there
                    path.unlink(missing_ok=True)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, also a FIFO, whose writer may never come."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _now(folder: Path) -> float:
    """Return the time by the clock that dates the files in a folder, perhaps a file server's.

    0 if no file can be made there, so that no file in it is old.
    """
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:  # gone, or a link in a circle
        return 0.0
