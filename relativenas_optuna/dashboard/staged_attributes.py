"""Collect the attributes that optuna-dashboard's functions write, to store them at once."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from optuna_dashboard import get_note, save_note

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna
    from optuna.storages import BaseStorage

_ARTIFACT = "dashboard:artifacts:"


@dataclass(frozen=True)
class _NotedTrial:
    """The part of a trial that `save_note` reads; a real trial would take a seat."""

    storage: BaseStorage
    study: optuna.Study
    _trial_id: int


class StagedAttributes:
    """Study system attributes staged for one write.

    Optuna-dashboard's functions write each attribute in a separate transaction, and read all
    attributes for each note. This object replaces the storage in their arguments. They write to
    memory, and the caller then stores all changes in one transaction.

    The dashboard increases the version of a note with every change. A note is therefore ours if its
    version is the one that we wrote last. A note that a person wrote or changed stays.

    Args:
        study: The study.
        attributes: Current system attributes of the study.
    """

    def __init__(self, study: optuna.Study, attributes: Mapping[str, Any]) -> None:
        self._before = attributes
        self._now = dict(attributes)
        self.storage = cast("BaseStorage", self)
        self.study = copy.copy(study)
        self.study._storage = self.storage

    @property
    def changes(self) -> dict[str, str | None]:
        """JSON texts of new and changed attributes; None for attributes to remove."""
        changed = {
            key: json.dumps(value)
            for key, value in self._now.items()
            if key not in self._before or self._before[key] != value
        }
        return changed | {key: None for key in self._before if key not in self._now}

    @property
    def new_artifacts(self) -> list[str]:
        """Ids of the artifacts that were added."""
        keys = self._now.keys() - self._before.keys()
        return [key.rpartition(":")[2] for key in keys if key.startswith(_ARTIFACT)]

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the staged attributes, like the method of `BaseStorage`."""
        return self._now

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Stage an attribute, like the method of `BaseStorage`."""
        self._now[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Stage an artifact of a trial, as an attribute of the study.

        Storages reject new attributes of a finished trial, but the dashboard also finds the
        artifacts of trials among the attributes of their study.
        """
        self._now[f"{_ARTIFACT}{trial_id}:{key.partition(':')[2]}"] = value

    def artifacts(self, trial_id: int) -> list[str]:
        """Return the ids of a trial's artifacts, including removed ones."""
        prefix = f"{_ARTIFACT}{trial_id}:"
        return [key.removeprefix(prefix) for key in self._now if key.startswith(prefix)]

    def remove_artifacts(self, trial_id: int) -> None:
        """Remove the artifacts of a trial."""
        self._remove(f"{_ARTIFACT}{trial_id}:")

    def put_note(self, trial_id: int | None, body: str, version: int | None) -> int | None:
        """Stage a note, unless a person wrote or changed it.

        Args:
            trial_id: Id of the trial; None for the note of the study.
            body: Markdown of the note.
            version: Version of the note that we wrote last; None if we wrote none.

        Returns:
            The new version of our note; None if the note is not ours.
        """
        found = self._version(trial_id)
        if found not in (0, version):
            return None
        target = (
            self.study
            if trial_id is None
            else cast("optuna.Trial", _NotedTrial(self.storage, self.study, trial_id))
        )
        if found == 0 or get_note(target) != body:
            save_note(target, body)
        return self._version(trial_id)

    def remove_note(self, trial_id: int, version: int) -> None:
        """Remove the note of a trial, if it is ours."""
        if self._version(trial_id) == version:
            self._remove(f"dashboard:{trial_id}:note_")

    def _version(self, trial_id: int | None) -> int:
        key = "dashboard:note_ver" if trial_id is None else f"dashboard:{trial_id}:note_ver"
        version = self._now.get(key, 0)
        return version if isinstance(version, int) else -1

    def _remove(self, prefix: str) -> None:
        for key in [key for key in self._now if key.startswith(prefix)]:
            del self._now[key]
