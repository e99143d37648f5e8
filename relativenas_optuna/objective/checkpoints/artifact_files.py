"""Weights files in an Optuna artifact store."""

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
from relativenas_optuna.objective.checkpoints.store import (
    StoredFile,
    check_name,
    missing,
    read_verified,
)

if TYPE_CHECKING:
    from optuna.artifacts._protocol import ArtifactStore


class ArtifactFiles:
    """A `Store` in an Optuna artifact store: a file system, S3, Google Cloud Storage, or another.

    The files are no artifacts of a study: no rows are written to its storage. An artifact store
    cannot list its files, so the last file of a killed process stays there, at most one.

    Args:
        store: Store with `open_reader`, `write` and `remove`, as in `optuna.artifacts`.
        name: Name of the store in messages; None for the name of its class.
    """

    def __init__(self, store: ArtifactStore, *, name: str | None = None) -> None:
        self._store = store
        self._name = name or type(store).__name__

    def __str__(self) -> str:
        return self._name

    def put(self, name: str, content: bytes) -> StoredFile:
        """Write a file; see `Store`."""
        file = StoredFile.of(name, content)
        with self._as_os_error(f"weights file {name!r} cannot be written to"):
            self._store.write(name, BytesIO(content))
        if isinstance(self._plain, FileSystemArtifactStore):
            _sync(self._plain, name)
        return file

    def get(self, file: StoredFile) -> bytes:
        """Read a file; see `Store`."""
        try:
            with (
                self._as_os_error(f"weights file {file.name!r} cannot be read from"),
                self._store.open_reader(file.name) as reader,
            ):
                return read_verified(reader, file)
        except ArtifactNotFound as error:
            raise missing(file) from error
        except OSError as error:
            if not isinstance(self._plain, FileSystemArtifactStore):
                raise  # a service that does not answer now may still have the file
            raise DamagedFileError(
                f"weights file {file.name!r} cannot be read: {error.strerror or error}"
            ) from error

    def holds(self, file: StoredFile) -> bool:
        """Return True if a file exists; see `Store`."""
        try:
            with self._as_os_error(f"weights file {file.name!r} cannot be read from"):
                self._store.open_reader(file.name).close()
        except ArtifactNotFound:
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        check_name(name)
        try:
            with self._as_os_error(f"weights file {name!r} cannot be removed from"):
                self._plain.remove(name)
        except ArtifactNotFound:
            return

    def lock(self) -> AbstractContextManager[bool]:
        """Yield False, because artifact stores have no locks."""
        return nullcontext(False)

    def clean(self, keep: Collection[str], *, search: str, has_lock: bool) -> None:
        """Do nothing, because artifact stores cannot list their files."""

    @contextmanager
    def _as_os_error(self, problem: str) -> Iterator[None]:
        """Raise an OSError in place of the many errors of the services' libraries."""
        try:
            yield
        except (ArtifactNotFound, DamagedFileError, OSError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OSError(f"{problem} {self}: {reason}") from error

    @property
    def _plain(self) -> ArtifactStore:
        """The store without Optuna's `Backoff`, which would repeat a removal that has happened."""
        store = self._store
        while isinstance(store, Backoff):
            store = store._backend
        return store


def _sync(store: FileSystemArtifactStore, name: str) -> None:
    """Flush a file to disk. Services have stored a file durably when they answer."""
    if os.name != "posix":  # elsewhere a file that is open for reading cannot be flushed
        return
    with store.open_reader(name) as reader:
        os.fsync(reader.fileno())
        sync_folder(Path(reader.name).parent)
