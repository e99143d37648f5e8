"""The record of the finals in its study, changed by several workers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.search.finals.records import FinalsRecord
from relativenas_optuna.storages.stored_json import UNREADABLE, read_json
from relativenas_optuna.storages.study_attributes import StudyRows
from relativenas_optuna.storages.transactions import is_deleted

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

FINALS_ATTRIBUTE = "relative_nas:finals"  # system attribute


class FinalsStore:
    """The record of the finals in a system attribute of the study.

    In a SQL database a change is a compare-and-set, so that no worker undoes the change of another.
    In any other storage only one process may change the record.

    Args:
        study: The study.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        try:
            self._rows: StudyRows | None = StudyRows(study, "system")
        except TypeError:  # the study is in no SQL database
            self._rows = None

    def read(self) -> FinalsRecord | None:
        """Return the record; None if no finals have started.

        Raises:
            SearchError: The study's attribute is not what `change` writes.
        """
        return self._record(self._text())

    def change(
        self, changed: Callable[[FinalsRecord | None], FinalsRecord | None]
    ) -> FinalsRecord | None:
        """Change the record, and return the result.

        Args:
            changed: Function that returns the new record, given the present one, or None for no
                change; it may be called several times.

        Raises:
            SearchError: The study's attribute is not what this method writes.
            KeyError: The study was deleted.
        """
        while True:
            text = self._text()
            before = self._record(text)
            after = changed(before)
            if after is None:
                return before
            after = replace(after, version=0 if before is None else before.version + 1)
            if self._advance(text, json.dumps(plain(after))):
                return after

    def check_study(self) -> None:
        """Raise `KeyError` if the study was deleted, also if a newer study got its id."""
        if is_deleted(self._study):
            raise KeyError(f"study {self._study.study_name!r} was deleted")

    def _text(self) -> str | None:
        if self._rows is not None:
            return self._rows.read(FINALS_ATTRIBUTE)
        attributes = self._study._storage.get_study_system_attrs(self._study._study_id)
        text: Any = attributes.get(FINALS_ATTRIBUTE)
        return None if text is None else json.dumps(text)

    def _advance(self, expected: str | None, new: str) -> bool:
        if self._rows is not None:
            return self._rows.advance(FINALS_ATTRIBUTE, expected, new)
        self._study._storage.set_study_system_attr(
            self._study._study_id, FINALS_ATTRIBUTE, json.loads(new)
        )
        return True

    def _record(self, text: str | None) -> FinalsRecord | None:
        if text is None:
            return None
        try:
            return from_data(FinalsRecord, read_json(text))
        except UNREADABLE as error:
            raise SearchError(
                f"study {self._study.study_name!r} has an unreadable attribute "
                f"{FINALS_ATTRIBUTE!r} ({error!r}): take another --study"
            ) from error
