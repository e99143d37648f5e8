"""Stores of weights files: the protocol, the checks of what is read, and the store in a folder."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import uuid4

from relativenas_optuna._utils.checked_fields import Count, check_fields
from relativenas_optuna._utils.files import write_whole
from relativenas_optuna._utils.locks import Timeout, locked
from relativenas_optuna._utils.text import brief
from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.samplers.seats.worker import this_worker

if TYPE_CHECKING:
    from typing import BinaryIO

_TAG = 8  # hexadecimal digits of a search or a machine in a file's name
_CHUNK = 1 << 20  # bytes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOCK_NAME = ".weights.lock"
_LOCK_TIMEOUT = 60.0  # seconds; the lock saves work, and nothing is lost without it
_LEFTOVER_AGE = 600.0  # seconds; long enough for another machine to point to its new file
# Also under the name that a file has while it is written.
_FILE = re.compile(rf"\.?weights-([0-9a-f]{{{_TAG}}})-([0-9a-f]{{{_TAG}}})-[a-z0-9.-]+")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """The name, size and hash of a complete file.

    Attributes:
        name: Name in the store, of letters, digits, dots, dashes and underscores.
        sha256: SHA-256 of the content, 64 hexadecimal digits.
        size: Size of the content in bytes.
    """

    name: str
    sha256: str
    size: Count

    def __post_init__(self) -> None:
        check_fields(self)
        check_name(self.name)
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits; got {brief(self.sha256)}")

    @classmethod
    def of(cls, name: str, content: bytes) -> StoredFile:
        """Describe a file that will have this content."""
        return cls(name=name, sha256=sha256(content).hexdigest(), size=len(content))


@runtime_checkable
class Store(Protocol):
    """A store of files by name. A file is written once and never changed."""

    def put(self, name: str, content: bytes) -> StoredFile:
        """Write a file, which is complete and durable on return.

        Raises:
            OSError: The file cannot be written.
        """

    def get(self, file: StoredFile) -> bytes:
        """Read a file.

        Raises:
            DamagedFileError: The file is missing, or its size or hash differs.
            OSError: The store cannot be read.
        """

    def holds(self, file: StoredFile) -> bool:
        """Return True if a file exists, damaged or not.

        Raises:
            OSError: The store cannot be read.
        """

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def lock(self) -> AbstractContextManager[bool]:
        """Keep out other processes that take this lock; yields True if it could be taken."""

    def clean(self, keep: Collection[str], *, search: str, has_lock: bool) -> None:
        """Remove the files that killed processes left.

        Args:
            keep: Names of the files that are needed, read under the lock.
            search: Identifier of the search whose files are removed.
            has_lock: True if this process holds the lock.
        """


class FolderStore:
    """A store in a folder, for all processes that see it; several searches may share one.

    Args:
        folder: Path of the folder, which is made if it is missing.

    Raises:
        OSError: The folder cannot be made or written to.
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

    def put(self, name: str, content: bytes) -> StoredFile:
        """Write a file; see `Store`."""
        file = StoredFile.of(name, content)
        write_whole(self.folder / name, content)
        return file

    def get(self, file: StoredFile) -> bytes:
        """Read a file; see `Store`."""
        try:
            with open(self.folder / file.name, "rb", opener=_open_without_waiting) as reader:
                return read_verified(reader, file)
        except FileNotFoundError as error:
            raise missing(file) from error
        except OSError as error:
            raise DamagedFileError(
                f"weights file {file.name!r} cannot be read: {error.strerror or error}"
            ) from error

    def holds(self, file: StoredFile) -> bool:
        """Return True if a file exists; see `Store`."""
        return (self.folder / file.name).exists()

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        (self.folder / check_name(name)).unlink(missing_ok=True)

    def lock(self) -> AbstractContextManager[bool]:
        """Lock the folder among the processes of this machine, at least; see `Store`."""
        return locked(self.folder / _LOCK_NAME, timeout=_LOCK_TIMEOUT)

    @contextmanager
    def training_lock(self, search: str) -> Iterator[bool]:
        """Yield False if another process holds this lock, which ends with its process.

        Where the folder has no locks it yields True.

        Args:
            search: Identifier of the search that the process trains for.
        """
        with ExitStack() as stack:
            path = self.folder / f".training-{_tag(search)}.lock"
            try:
                stack.enter_context(locked(path, timeout=0, remove=True))
            except Timeout:
                free = False
            else:
                free = True
            yield free

    def clean(self, keep: Collection[str], *, search: str, has_lock: bool) -> None:
        """Remove the files that killed processes left; see `Store`.

        With the lock, no other process of this machine is about to point to a file. Files of other
        machines are kept for ten minutes.
        """
        found = [(path, _FILE.fullmatch(path.name)) for path in self.folder.iterdir()]
        leftovers = [
            (path, match[2])
            for path, match in found
            if match is not None and match[1] == _tag(search) and path.name not in keep
        ]
        here, now = _this_machine(), _file_time_now(self.folder) if leftovers else 0.0
        for path, machine in leftovers:
            if (has_lock and machine == here) or _age(path, now) > _LEFTOVER_AGE:
                with suppress(OSError):  # it may be a folder that somebody made
                    path.unlink(missing_ok=True)


def check_name(name: object) -> str:
    """Return a file's name if it cannot lead out of its folder.

    Raises:
        ValueError: The name is not allowed.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"a file's name must be of at most 128 letters, digits, dots, dashes and underscores, "
            f"the first a letter or digit; got {brief(name)}"
        )
    return name


def new_name(search: str, label: str) -> str:
    """Return a new, unique file name, with the tags of its search and of this machine."""
    return f"weights-{_tag(search)}-{_this_machine()}-{label}-{uuid4().hex[:_TAG]}.safetensors"


def read_verified(reader: BinaryIO, file: StoredFile) -> bytes:
    """Read an open file and compare its size and hash.

    Raises:
        DamagedFileError: Size or hash differs.
    """
    content = _read(reader, file.size + 1)
    if len(content) != file.size:
        more = "more" if len(content) > file.size else len(content)
        raise DamagedFileError(
            f"weights file {file.name!r} must have {file.size} bytes, and has {more}"
        )
    if sha256(content).hexdigest() != file.sha256:
        raise DamagedFileError(f"weights file {file.name!r} is not as it was written (sha256)")
    return content


def missing(file: StoredFile) -> DamagedFileError:
    """Return the error for a file that does not exist."""
    return DamagedFileError(f"weights file {file.name!r} is missing")


def _read(reader: BinaryIO, most: int) -> bytes:
    parts = []
    # A connection may give fewer bytes at a time than it is asked for.
    while most > 0 and (part := reader.read(min(most, _CHUNK))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _tag(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_TAG]


def _this_machine() -> str:
    return _tag(str(this_worker()["machine"]))


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO too, whose writer may never come."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _file_time_now(folder: Path) -> float:
    """Return the time by the clock that dates the files in a folder, perhaps a file server's.

    0 if no file can be made there, so that no file in it counts as old.
    """
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:  # it was removed meanwhile, or is a link to itself
        return 0.0
