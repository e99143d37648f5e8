"""Attributes of a study in a SQL database, changed by compare-and-set."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from optuna.exceptions import StorageInternalError
from sqlalchemy import bindparam, column, delete, insert, select, table, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from relativenas_optuna.storages.stored_json import read_json
from relativenas_optuna.storages.transactions import database_of, persist

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import optuna
    from sqlalchemy.engine import Connection

Kind = Literal["user", "system"]

_MOST_NAMED = 400  # keys that every database takes in a condition
# Tables of Optuna's schema, which changes less often than Optuna's classes for them.
_STUDIES = table("studies", column("study_id"))
_STUDY = select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == bindparam("of"))


class StudyRows:
    """The user attributes of a study in a SQL database, or its system attributes.

    Args:
        study: Study in a SQL database.
        kind: "user" or "system".

    Raises:
        TypeError: The study is not in a SQL database.
    """

    def __init__(self, study: optuna.Study, kind: Kind) -> None:
        self._engine = database_of(study._storage).engine
        self._study_id, self._name, self._kind = study._study_id, study.study_name, kind
        self._table = rows = table(
            f"study_{kind}_attributes", column("study_id"), column("key"), column("value_json")
        )
        own = (rows.c.study_id == bindparam("of")) & (rows.c.key == bindparam("named"))
        self._read = select(rows.c.value_json).where(own)
        self._lock = self._read.with_for_update()
        self._update = update(rows).where(own).values(value_json=bindparam("text"))
        self._delete = delete(rows).where(own)
        self._known = select(rows.c.key).where(
            rows.c.study_id == bindparam("of"), rows.c.key.in_(bindparam("keys", expanding=True))
        )

    def place(self, key: str) -> str:
        """Return a description of an attribute for messages: kind, key and study."""
        return f"{self._kind} attribute {key!r} of study {self._name!r}"

    def read(self, key: str) -> str | None:
        """Return the JSON text of an attribute; None if the study does not have it.

        Raises:
            StorageInternalError: The database cannot be read.
        """

        def attempt() -> str | None:
            try:
                with self._engine.connect() as connection:
                    text: str | None = connection.scalar(self._read, self._own(key))
                    return text
            except SQLAlchemyError as error:
                reason = f"{self.place(key)} could not be read: {error}"
                raise StorageInternalError(reason) from error

        return persist(attempt)

    def advance(
        self,
        key: str,
        expected: str | None,
        new: str,
        *,
        beside: Mapping[str, str | None] | None = None,
        durable: bool = False,
    ) -> bool:
        """Replace the text of an attribute if it is still the expected one.

        Args:
            key: Name of the attribute.
            expected: The text that `read` returned; None for an attribute that does not exist.
            new: A JSON text that the attribute never had before.
            beside: Texts of other attributes by name, written in the same transaction without a
                comparison; a text None removes the attribute.
            durable: True to wait until the text is on disk, also on SQLite.

        Returns:
            True if the attribute has the text `new` now.

        Raises:
            StorageInternalError: The database failed; the text may have been written or not.
            KeyError: The study was deleted.
        """

        def attempt() -> bool:
            try:
                with self._engine.connect() as connection, _transaction(connection, durable):
                    return self._advance(connection, key, expected, new, beside or {})
            except SQLAlchemyError as error:
                if isinstance(error, IntegrityError) and not beside:
                    return False  # another process wrote the first one
                reason = f"{self.place(key)} could not be written: {error}"
                raise StorageInternalError(reason) from error

        return persist(attempt)

    def _advance(
        self,
        connection: Connection,
        key: str,
        expected: str | None,
        new: str,
        beside: Mapping[str, str | None],
    ) -> bool:
        # Compared in Python, since some databases ignore case.
        there = connection.scalar(self._lock, self._own(key))
        if there != expected:
            # The answer to an earlier attempt may be what got lost.
            return bool(there == new)
        if there is None and connection.scalar(_STUDY, {"of": self._study_id}) is None:
            raise KeyError(f"{self.place(key)} is not there, because the study was deleted")
        self._write(connection, {**beside, key: new})
        return True

    def _write(self, connection: Connection, texts: Mapping[str, str | None]) -> None:
        known: set[str] = set()
        keys = list(texts)
        for first in range(0, len(keys), _MOST_NAMED):
            named = {"of": self._study_id, "keys": keys[first : first + _MOST_NAMED]}
            known.update(connection.scalars(self._known, named))
        changed = [
            self._own(k) | {"text": t} for k, t in texts.items() if t is not None and k in known
        ]
        removed = [self._own(k) for k, text in texts.items() if text is None and k in known]
        added = [
            {"study_id": self._study_id, "key": key, "value_json": text}
            for key, text in texts.items()
            if text is not None and key not in known
        ]
        for statement, rows in (
            (self._update, changed),
            (self._delete, removed),
            (insert(self._table), added),
        ):
            if rows:
                connection.execute(statement, rows)

    def _own(self, key: str) -> dict[str, object]:
        return {"of": self._study_id, "named": key}


def study_attribute(study: optuna.Study, key: str) -> Any:
    """Return a user attribute of a study; None if there is none.

    Raises:
        ValueError: The attribute in the database is not readable JSON.
    """
    value = study.user_attrs.get(key)
    if value is None:
        try:
            text = StudyRows(study, "user").read(key)
        except TypeError:  # the study is in no SQL database, which reads all attributes
            return None
        value = None if text is None else read_json(text)
    return value


@contextmanager
def _transaction(connection: Connection, durable: bool) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    # With a write-ahead log SQLite may be set not to wait for the disk at every commit. A power cut
    # must not undo a durable write.
    waits = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    if durable:
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
    try:
        # No other process may write between the read and the write.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.commit()
    finally:
        connection.rollback()
        if durable:
            connection.exec_driver_sql(f"PRAGMA synchronous={waits}")


def agreed(study: optuna.Study, key: str, value: Any) -> Any:
    """Return a user attribute of a study, after setting it if it is missing.

    In a SQL database all processes that call this at once get the same value, that of the first
    writer. In another storage, each of two writers at the same moment may get either value.

    Args:
        study: The study.
        key: Name of the attribute.
        value: Value to set, as JSON data.

    Returns:
        The value that the attribute has now.

    Raises:
        ValueError: The attribute in the database is not readable JSON.
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
    try:
        return read_json(text)
    except ValueError as error:
        raise ValueError(
            f"{pointer.place} is no readable JSON ({error}): take another study"
        ) from error


class StudyPointer:
    """A `Pointer` in a user attribute of a study in a SQL database; deleted with the study.

    Args:
        study: Study in a SQL database.
        key: Name of the attribute.

    Raises:
        TypeError: The study is not in a SQL database.
    """

    def __init__(self, study: optuna.Study, key: str) -> None:
        self._rows, self._key = StudyRows(study, "user"), key
        self.place = self._rows.place(key)
        self.study: str | None = study.study_name

    def read(self) -> str | None:
        """Return the text; None before the first. See `Pointer.read`."""
        return self._rows.read(self._key)

    def advance(self, expected: str | None, new: str) -> bool:
        """Replace the text if it is still the expected one; see `Pointer.advance`."""
        json.loads(new)  # a text that is not JSON would make the whole study unreadable
        # A power cut must not bring back a pointer to files that were removed since.
        return self._rows.advance(self._key, expected, new, durable=True)
