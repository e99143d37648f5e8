"""The dashboard's state: the progress that it shows, and the versions of its notes."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import StudyRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna

KEY = "relative_nas:dashboard"


@dataclass
class DashboardState:
    """The progress and the notes that optuna-dashboard shows for a study.

    Attributes:
        stage: Shown progress: number of complete generations, number of trials, and twice the
            number of changes of the finals, plus 1 if the search has ended; (-1, -1, -1) before the
            first write.
        notes: Versions of our trial notes by trial id, as text.
        study_note: Version of our study note; None if there is none.
    """

    stage: tuple[int, int, int] = (-1, -1, -1)
    notes: dict[str, int] = field(default_factory=dict)
    study_note: int | None = None

    @classmethod
    def from_text(cls, text: str | None) -> DashboardState:
        """Return the state that `to_text` wrote; a new state for None or any other text."""
        try:
            data = json.loads(text or "")
            generations, trials, ended = map(int, data["stage"])
            version = data["study_note"]
            return cls(
                stage=(generations, trials, ended),
                notes={str(int(key)): int(number) for key, number in data["notes"].items()},
                study_note=None if version is None else int(version),
            )
        except UNREADABLE:
            return cls()

    def to_text(self) -> str:
        """Return the state as JSON, with a random mark that makes the text unique."""
        return json.dumps({**asdict(self), "mark": uuid.uuid4().hex})


class Rows(Protocol):
    """A protocol for reading and atomically replacing a study's system attributes."""

    def read(self, key: str) -> str | None:
        """Return the JSON text of an attribute; None if the study does not have it."""

    def advance(
        self, key: str, expected: str | None, new: str, *, beside: Mapping[str, str | None]
    ) -> bool:
        """Replace an attribute if it still has the expected text, and others with it.

        Args:
            key: Name of the attribute.
            expected: Text that `read` returned.
            new: New JSON text of the attribute.
            beside: New JSON texts of other attributes by name; None removes an attribute.

        Returns:
            True if the attributes were replaced; False if another process was first.
        """


def rows_of(study: optuna.Study) -> Rows:
    """Return access to the system attributes of a study, in any storage."""
    try:
        return StudyRows(study, "system")
    except TypeError:
        return _PlainRows(study)


def read_state(rows: Rows) -> tuple[str | None, DashboardState]:
    """Return the stored text of a study's dashboard state, and the state.

    A study without a state gets a new one.
    """
    text = rows.read(KEY)
    if text is None:
        # Later writes compare with this row; without it, two first writers would both insert.
        rows.advance(KEY, None, DashboardState().to_text(), beside={})
        text = rows.read(KEY)
    return text, DashboardState.from_text(text)


class _PlainRows:
    """The attributes of a study in a storage that is not a SQL database.

    Two workers that write at the same moment may both succeed, but they write the same content.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._storage, self._study_id = study._storage, study._study_id

    def read(self, key: str) -> str | None:
        value = self._storage.get_study_system_attrs(self._study_id).get(key)
        return None if value is None else json.dumps(value)

    def advance(
        self, key: str, expected: str | None, new: str, *, beside: Mapping[str, str | None]
    ) -> bool:
        if self.read(key) != expected:
            return False
        for name, text in {**beside, key: new}.items():
            # These storages cannot remove an attribute, so it is emptied.
            empty = 0 if name.endswith("note_ver") else ""
            value = empty if text is None else json.loads(text)
            self._storage.set_study_system_attr(self._study_id, name, value)
        return True
