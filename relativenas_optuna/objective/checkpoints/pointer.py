"""A pointer to the newest weights: one text that is changed by compare-and-set."""

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
    """A JSON text that any process can read, and can replace if it knows the present text."""

    @property
    def place(self) -> str:
        """Description of the place of the text, for messages."""

    @property
    def study(self) -> str | None:
        """Name of the study to which the pointer belongs; None if it is not known."""

    def read(self) -> str | None:
        """Return the text; None before the first one.

        Raises:
            OSError, StorageInternalError: The text cannot be read.
        """

    def advance(self, expected: str | None, new: str) -> bool:
        """Replace the text, durably, if it is still the expected one.

        Args:
            expected: The text that `read` returned; None before the first one.
            new: A JSON text that was never there before.

        Returns:
            True if the text is `new` now.

        Raises:
            OSError, StorageInternalError: The write failed; the text may have been written or not.
            KeyError: The study was deleted.
        """


def pointer_of(study: optuna.Study, folder: str | Path) -> Pointer:
    """Return the pointer of a study: a row in its SQL database, otherwise a file in a folder."""
    try:
        return StudyPointer(study, WEIGHTS_KEY)
    except TypeError:
        # A study that was created without a name has another name in every process.
        name = None if study.study_name.startswith(DEFAULT_STUDY_NAME_PREFIX) else study.study_name
        return FilePointer(Path(folder) / POINTER_NAME, study=name)


class FilePointer:
    """A `Pointer` in a file, changed under a lock, for studies outside of SQL databases.

    All processes must see the same file. A disk that several machines share must support locks.

    Args:
        path: Path of the file. The lock is the file `.{name}.lock` beside it.
        study: Name of the study; None if it is not known.
    """

    def __init__(self, path: str | Path, *, study: str | None = None) -> None:
        self._path = Path(path)
        self.study = study
        self.place = f"file {str(self._path)!r}"

    def read(self) -> str | None:
        """Return the text; None if the file does not exist. See `Pointer.read`."""
        try:
            return self._path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None

    def advance(self, expected: str | None, new: str) -> bool:
        """Replace the text if it is still the expected one; see `Pointer.advance`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path.with_name(f".{self._path.name}.lock")):
            there = self.read()
            if there != expected:
                return there == new
            remove_unfinished(self._path.parent, self._path.name)
            write_whole(self._path, new.encode())
            return True
