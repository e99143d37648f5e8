"""What optuna-dashboard's own functions write, collected for one transaction."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from optuna_dashboard import get_note, save_note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import optuna
    from optuna.storages import BaseStorage

_ARTIFACT = "dashboard:artifacts:"


class Draft:
    """The system attributes of a study as they are to be, in the place of its storage.

    Optuna-dashboard writes every attribute in a transaction of its own, and reads all of them for
    each note. Here it writes to memory, and what has changed in the end goes to the database at
    once: a reader sees the old or the new, and a writer waits a moment instead of hundreds.

    Args:
        study: The study.
        attributes: Its system attributes as they are.
    """

    def __init__(self, study: optuna.Study, attributes: Mapping[str, Any]) -> None:
        self._before = attributes
        self._now = dict(attributes)
        self.study = copy.copy(study)
        self.study._storage = self.storage

    @property
    def storage(self) -> BaseStorage:
        """Itself, for functions that write to a storage."""
        return cast("BaseStorage", self)

    @property
    def changes(self) -> dict[str, Any]:
        """Attributes that are new or changed; `None` for those that are to be removed."""
        changed = {
            key: value
            for key, value in self._now.items()
            if key not in self._before or self._before[key] != value
        }
        return changed | {key: None for key in self._before if key not in self._now}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As of a storage."""
        return self._now

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """As of a storage."""
        self._now[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As of a storage, which takes none for a trial that has ended.

        The dashboard also finds artifacts of trials among the attributes of their study.
        """
        self._now[f"{_ARTIFACT}{trial_id}:{key.partition(':')[2]}"] = value

    def artifacts(self, trial_id: int) -> list[str]:
        """The ids of a trial's artifacts among these, also of those that somebody removed."""
        prefix = f"{_ARTIFACT}{trial_id}:"
        return [key.removeprefix(prefix) for key in self._now if key.startswith(prefix)]

    def notes(self) -> Notes:
        """The notes of the study."""
        return Notes(self)

    def remove_artifact(self, trial_id: int) -> None:
        """Take back that a trial has one."""
        self.remove(f"{_ARTIFACT}{trial_id}:")

    def remove(self, prefix: str) -> None:
        """Remove all attributes whose names begin so."""
        for key in [key for key in self._now if key.startswith(prefix)]:
            del self._now[key]


@dataclass(frozen=True)
class _Noted:
    """As much of a trial as `save_note` looks at; making one of a real trial would seat it."""

    storage: BaseStorage
    study: optuna.Study
    _trial_id: int


class Notes:
    """The notes of a study and its trials: ours are kept up to date, a person's are left alone.

    A note is ours while it has the version that we wrote last, for the dashboard counts versions
    with every change.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def put(self, trial_id: int | None, body: str, version: int | None) -> int | None:
        """Write a note, if there is none or it is ours.

        Args:
            trial_id: Of the trial; `None` for the study's own.
            body: Of the note.
            version: That we wrote last.

        Returns:
            The version that we wrote last now; `None` where the note is not ours.
        """
        there = self._version(trial_id)
        if there not in (0, version):
            return None
        target = self._target(trial_id)
        if there == 0 or get_note(target) != body:
            save_note(target, body)
        return self._version(trial_id)

    def remove(self, trial_id: int, version: int) -> None:
        """Remove the note of a trial, if it is ours."""
        if self._version(trial_id) == version:
            self._draft.remove(f"dashboard:{trial_id}:note_")

    def _version(self, trial_id: int | None) -> int:
        key = "dashboard:note_ver" if trial_id is None else f"dashboard:{trial_id}:note_ver"
        version = self._draft.get_study_system_attrs(0).get(key, 0)
        return version if isinstance(version, int) else -1

    def _target(self, trial_id: int | None) -> optuna.Study | optuna.Trial:
        if trial_id is None:
            return self._draft.study
        noted = _Noted(self._draft.storage, self._draft.study, trial_id)
        return cast("optuna.Trial", noted)


def texts(changes: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Changes as a database has them."""
    for key, value in changes.items():
        yield key, None if value is None else json.dumps(value)
