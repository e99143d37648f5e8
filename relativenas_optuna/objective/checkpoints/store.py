"""What keeps files of weights: by name, written once, read without trust."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import uuid4

from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.objective.checkpoints.parts import Stored
from relativenas_optuna.samplers.seats.worker import this_worker

if TYPE_CHECKING:
    from typing import BinaryIO

TAG = 8  #: Hexadecimal digits of a search or a machine in a file's name.
_CHUNK = 1 << 20  # bytes


@runtime_checkable
class Store(Protocol):
    """Keeps files by name. A file is written once, and never changed."""

    def put(self, name: str, content: bytes) -> Stored:
        """Write a file, which is complete and durable on return.

        Raises:
            OSError: It cannot be written; what the store says.
        """

    def get(self, stored: Stored) -> bytes:
        """Read a file.

        Raises:
            DamagedFileError: It is missing, or its size or hash is not as it was.
            OSError: The store cannot be read; what it says.
        """

    def holds(self, stored: Stored) -> bool:
        """Whether a file is there, whole or not.

        Raises:
            OSError: The store cannot be read; what it says.
        """

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def lock(self) -> AbstractContextManager[bool]:
        """Keep others out who take this lock too; gives whether it could be taken."""

    def clean(self, keep: Collection[str], *, search: str, alone: bool) -> None:
        """Remove what writers that were killed left.

        Args:
            keep: Names of files that are needed, read under the lock.
            search: Whose files to look at.
            alone: Whether the lock is held.
        """


def new_name(search: str, label: str) -> str:
    """A file's name that was never there before.

    It says of which search it is, for several may share a folder, and on which machine it was
    written.
    """
    return f"weights-{tag_of(search)}-{this_machine()}-{label}-{uuid4().hex[:TAG]}.safetensors"


def this_machine() -> str:
    """The tag of this machine in a file's name."""
    return tag_of(str(this_worker()["machine"]))


def tag_of(text: str) -> str:
    """A short name of a search or a machine, of hexadecimal digits."""
    return sha256(text.encode()).hexdigest()[:TAG]


def verified(file: BinaryIO, stored: Stored) -> bytes:
    """What is in an open file, if it is as it was written.

    Raises:
        DamagedFileError: It is not.
    """
    content = _read(file, stored.size + 1)
    if len(content) != stored.size:
        more = "more" if len(content) > stored.size else len(content)
        raise DamagedFileError(
            f"weights file {stored.name!r} must have {stored.size} bytes, and has {more}"
        )
    if sha256(content).hexdigest() != stored.sha256:
        raise DamagedFileError(f"weights file {stored.name!r} is not as it was written (sha256)")
    return content


def _read(file: BinaryIO, most: int) -> bytes:
    parts = []
    # A connection may give less at a time than it is asked for.
    while most > 0 and (part := file.read(min(most, _CHUNK))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def missing(stored: Stored) -> DamagedFileError:
    """What to raise for a file that is not there."""
    return DamagedFileError(f"weights file {stored.name!r} is missing")
