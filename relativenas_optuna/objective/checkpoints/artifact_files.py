"""Files of weights in an artifact store of Optuna's."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.artifacts import Backoff, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from relativenas_optuna._utils.files import sync_folder
from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.objective.checkpoints.parts import Stored, check_name
from relativenas_optuna.objective.checkpoints.store import missing, verified

if TYPE_CHECKING:
    from optuna.artifacts._protocol import ArtifactStore


class ArtifactFiles:
    """An artifact store of Optuna's: a file system, S3, Google Cloud Storage, or a user's own.

    Only its bytes are used, so that no rows are written. Such a store cannot list its files, so
    what a process that was killed wrote last stays there: one file at most.

    Args:
        store: With `open_reader`, `write` and `remove`, as `optuna.artifacts` describes them.
        name: Of the store, for messages; its class where none is given.
    """

    def __init__(self, store: ArtifactStore, *, name: str | None = None) -> None:
        self._store = store
        self._name = name or type(store).__name__

    def __str__(self) -> str:
        return self._name

    def put(self, name: str, content: bytes) -> Stored:
        """See `Store`."""
        stored = Stored.of(name, content)
        with self._told(f"weights file {name!r} cannot be written to"):
            self._store.write(name, BytesIO(content))
        if isinstance(self._plain, FileSystemArtifactStore):
            _sync(self._plain, name)
        return stored

    def get(self, stored: Stored) -> bytes:
        """See `Store`."""
        try:
            with (
                self._told(f"weights file {stored.name!r} cannot be read from"),
                self._store.open_reader(stored.name) as reader,
            ):
                return verified(reader, stored)
        except ArtifactNotFound as error:
            raise missing(stored) from error
        except OSError as error:
            if not isinstance(self._plain, FileSystemArtifactStore):
                raise  # a service that does not answer now has the file all the same
            raise DamagedFileError(
                f"weights file {stored.name!r} cannot be read: {error.strerror or error}"
            ) from error

    def holds(self, stored: Stored) -> bool:
        """See `Store`."""
        try:
            with self._told(f"weights file {stored.name!r} cannot be read from"):
                self._store.open_reader(stored.name).close()
        except ArtifactNotFound:
            return False
        return True

    def remove(self, name: str) -> None:
        """See `Store`."""
        check_name(name)
        try:
            with self._told(f"weights file {name!r} cannot be removed from"):
                self._plain.remove(name)
        except ArtifactNotFound:
            return

    @contextmanager
    def _told(self, problem: str) -> Iterator[None]:
        """Make one error of the many that the libraries of services have."""
        try:
            yield
        except (ArtifactNotFound, DamagedFileError, OSError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OSError(f"{problem} {self}: {reason}") from error

    @property
    def _plain(self) -> ArtifactStore:
        """The store without Optuna's `Backoff`, which removes again what it has removed."""
        store = self._store
        while isinstance(store, Backoff):
            store = store._backend
        return store

    def lock(self) -> AbstractContextManager[bool]:
        """See `Store`; there is none."""
        return nullcontext(False)

    def clean(self, keep: Collection[str], *, search: str, alone: bool) -> None:
        """See `Store`; there is nothing that can be seen."""


def _sync(store: FileSystemArtifactStore, name: str) -> None:
    """Sees to it that a file is on disk; what a service took is durable already."""
    if os.name != "posix":  # elsewhere what is open to be read cannot be synced
        return
    with store.open_reader(name) as reader:
        os.fsync(reader.fileno())
        sync_folder(Path(reader.name).parent)
