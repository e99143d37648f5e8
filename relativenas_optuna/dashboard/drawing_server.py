"""The drawings that a dashboard serves, from a folder that may come later or go."""

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
    """An artifact store for optuna-dashboard, which itself answers what is missing by a traceback.

    Args:
        folder: Where the drawings are as things stand, asked for at each of them; `None` where
            that is not known yet.
    """

    def __init__(self, folder: Callable[[], Path | None]) -> None:
        self._folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a drawing; one that is not there is "not found" for the browser alone."""
        try:
            return self._store().open_reader(artifact_id)
        except (ArtifactNotFound, OSError) as error:
            raise HTTPError(404, "the folder of the drawings does not have this one") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep a file that somebody uploads."""
        try:
            self._store().write(artifact_id, content_body)
        except (ArtifactNotFound, OSError) as error:
            raise HTTPError(400, "there is no folder that the file can be written to") from error

    def remove(self, artifact_id: str) -> None:
        """Remove a file; a study can be deleted whose files are gone already."""
        with suppress(ArtifactNotFound, OSError):
            self._store().remove(artifact_id)

    def _store(self) -> FileSystemArtifactStore:
        folder = self._folder()
        if folder is None:
            raise ArtifactNotFound("no folder is known yet")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return FileSystemArtifactStore(folder)
