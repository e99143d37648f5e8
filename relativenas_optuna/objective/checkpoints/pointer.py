"""Where the newest weights are: one text, replaced only by who knows the one before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX

from relativenas_optuna._utils.files import remove_unfinished, write_whole
from relativenas_optuna._utils.locks import locked
from relativenas_optuna.storages.study_attributes import StudyPointer

if TYPE_CHECKING:
    import optuna

WEIGHTS_KEY = "relative_nas:weights"
POINTER_NAME = "weights.json"


class Pointer(Protocol):
    """One JSON text that any process can read, and replace if it knows what is there."""

    @property
    def place(self) -> str:
        """Where the text is, for messages."""

    @property
    def study(self) -> str | None:
        """Name of the study whose pointer it is; `None` where it is not known."""

    def read(self) -> str | None:
        """The text, or `None` before the first.

        Raises:
            OSError, StorageInternalError: It cannot be read.
        """

    def advance(self, expected: str | None, new: str) -> bool:
        """Replace a text, durably, if it is still the expected one.

        Args:
            expected: What `read` gave.
            new: A JSON text that was never there before.

        Returns:
            Whether `new` is there now.

        Raises:
            OSError, StorageInternalError: It cannot be written; whether it was is not known.
            KeyError: The study was deleted.
        """


def pointer_of(study: optuna.Study, folder: str | Path) -> Pointer:
    """The pointer of a study: a row beside it in its SQL database, else a file in a folder."""
    try:
        return StudyPointer(study, WEIGHTS_KEY)
    except TypeError:
        # A study that was given no name gets another one in every process.
        name = None if study.study_name.startswith(DEFAULT_STUDY_NAME_PREFIX) else study.study_name
        return FilePointer(Path(folder) / POINTER_NAME, study=name)


class FilePointer:
    """A file that is changed under a lock, for studies in no SQL database.

    All processes must see the same file; on a shared disk between machines it must have locks.

    Args:
        path: Of the file; `.{name}.lock` is beside it.
        study: See `Pointer`.
    """

    def __init__(self, path: str | Path, *, study: str | None = None) -> None:
        self._path = Path(path)
        self.study = study
        self.place = f"file {str(self._path)!r}"

    def read(self) -> str | None:
        """See `Pointer`."""
        try:
            return self._path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None

    def advance(self, expected: str | None, new: str) -> bool:
        """See `Pointer`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path.with_name(f".{self._path.name}.lock")):
            there = self.read()
            if there != expected:
                return there == new
            remove_unfinished(self._path.parent, self._path.name)
            write_whole(self._path, new.encode())
            return True
