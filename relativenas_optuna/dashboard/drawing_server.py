"""Serve drawings to optuna-dashboard from a folder that may be created or removed meanwhile."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from bottle import HTTPError
from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import ExperimentalWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class ServedDrawings:
    """An artifact store for optuna-dashboard that answers "not found" for a missing file.

    With Optuna's own store, optuna-dashboard prints a traceback for a missing file.

    Args:
        folder: Function that returns the folder of the drawings, or None if it is not known yet;
            called for each file.
    """

    def __init__(self, folder: Callable[[], Path | None]) -> None:
        self._folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a drawing for reading.

        Raises:
            HTTPError: The drawing is missing; the browser gets status 404.
        """
        try:
            return self._store().open_reader(artifact_id)
        except (ArtifactNotFound, OSError) as error:
            raise HTTPError(404, "the folder of the drawings does not have this one") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Store a file that a user uploads.

        Raises:
            HTTPError: The folder is missing or cannot be written to; the browser gets status 400.
        """
        try:
            self._store().write(artifact_id, content_body)
        except (ArtifactNotFound, OSError) as error:
            raise HTTPError(400, "there is no folder that the file can be written to") from error

    def remove(self, artifact_id: str) -> None:
        """Remove a file, and ignore errors, so that a study without its files can be deleted."""
        with suppress(ArtifactNotFound, OSError):
            self._store().remove(artifact_id)

    def _store(self) -> FileSystemArtifactStore:
        folder = self._folder()
        if folder is None:
            raise ArtifactNotFound("no folder is known yet")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return FileSystemArtifactStore(folder)
