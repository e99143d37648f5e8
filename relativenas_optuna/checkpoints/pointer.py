"""Where the newest weights are: one text, replaced only by who knows the one before."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from optuna.exceptions import StorageInternalError
from sqlalchemy import bindparam, column, insert, select, table, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from relativenas_optuna._files import remove_unfinished, write_whole
from relativenas_optuna.checkpoints.faults import fault
from relativenas_optuna.checkpoints.locks import locked
from relativenas_optuna.samplers.sql import database_of, persist

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna
    from sqlalchemy.engine import Connection

KEY = "relative_nas:weights"
POINTER_NAME = "weights.json"

# Of Optuna's schema, which changes less than the classes that Optuna has for it.
_STUDIES = table("studies", column("study_id"))
_ATTRIBUTES = table(
    "study_user_attributes", column("study_id"), column("key"), column("value_json")
)
_OWN = (_ATTRIBUTES.c.study_id == bindparam("of")) & (_ATTRIBUTES.c.key == bindparam("named"))
_READ = select(_ATTRIBUTES.c.value_json).where(_OWN)
_LOCK = _READ.with_for_update()
_STUDY = select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == bindparam("of"))
_UPDATE = update(_ATTRIBUTES).where(_OWN)


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
        return StudyPointer(study)
    except TypeError:
        return FilePointer(Path(folder) / POINTER_NAME, study=study.study_name)


def agreed(study: optuna.Study, key: str, value: Any) -> Any:
    """A user attribute of a study, made where it is missing: of several writers the first counts.

    Args:
        study: The study.
        key: Of the attribute.
        value: As JSON data, for where there is none. In no SQL database two writers that come at
            the same moment may see one another's.

    Returns:
        What is there now.
    """
    try:
        pointer = StudyPointer(study, key)
    except TypeError:
        storage, study_id = study._storage, study._study_id
        if storage.get_study_user_attrs(study_id).get(key) is None:
            storage.set_study_user_attr(study_id, key, value)
        return storage.get_study_user_attrs(study_id)[key]
    while (text := pointer.read()) is None:
        pointer.advance(None, json.dumps(value))
    return json.loads(text)


class StudyPointer:
    """A user attribute of a study in a SQL database; it goes with the study.

    Args:
        study: Of an `RDBStorage`.
        key: Of the attribute.

    Raises:
        TypeError: The study is in no SQL database.
    """

    def __init__(self, study: optuna.Study, key: str = KEY) -> None:
        self._engine = database_of(study._storage).engine
        self._own = {"of": study._study_id, "named": key}
        self._row = {"study_id": study._study_id, "key": key}
        self.study: str | None = study.study_name
        self.place = f"user attribute {key!r} of study {self.study!r}"

    def read(self) -> str | None:
        """See `Pointer`."""

        def attempt() -> str | None:
            try:
                with self._engine.connect() as connection:
                    text: str | None = connection.scalar(_READ, self._own)
                    return text
            except SQLAlchemyError as error:
                raise StorageInternalError(f"{self.place} could not be read: {error}") from error

        return persist(attempt)

    def advance(self, expected: str | None, new: str) -> bool:
        """See `Pointer`."""
        json.loads(new)  # what is no JSON would make the whole study unreadable

        def attempt() -> bool:
            try:
                with self._engine.connect() as connection:
                    return self._advance(connection, expected, new)
            except IntegrityError:
                return False  # another process wrote the first one
            except SQLAlchemyError as error:
                raise StorageInternalError(f"{self.place} could not be written: {error}") from error

        return persist(attempt)

    def _advance(self, connection: Connection, expected: str | None, new: str) -> bool:
        with _transaction(connection):
            # Compared here, since some databases compare without regard to case.
            there = connection.scalar(_LOCK, self._own)
            if there != expected:
                # The answer to an earlier attempt may be what got lost.
                return bool(there == new)
            if there is not None:
                connection.execute(_UPDATE, self._own | {"value_json": new})
            elif connection.scalar(_STUDY, {"of": self._own["of"]}) is None:
                raise KeyError(f"{self.place} is not there, for the study was deleted")
            else:
                connection.execute(insert(_ATTRIBUTES), self._row | {"value_json": new})
        return True


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """A transaction that is on disk when it ends."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    # With a write-ahead log SQLite may be set not to wait for the disk at every commit. Here a
    # power cut must not bring back a pointer to files that were removed since.
    waits = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    connection.exec_driver_sql("PRAGMA synchronous=FULL")
    try:
        # Nothing may be written between what is read and what is written then.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.commit()
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA synchronous={waits}")


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
            write_whole(self._path, new.encode(), passing=fault)
            return True
