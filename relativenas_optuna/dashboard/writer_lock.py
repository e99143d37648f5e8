"""Whose turn it is to write what a dashboard shows: one worker's, which may die."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from relativenas_optuna.samplers.seats.worker import checked_worker, is_dead, this_worker
from relativenas_optuna.storages.stored_json import UNREADABLE
from relativenas_optuna.storages.study_attributes import StudyRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna

    from relativenas_optuna._utils.stopwatch import Watch

KEY = "relative_nas:dashboard"
_PATIENCE = 60.0  # seconds for a worker on another machine to write what it claimed


@dataclass
class Written:
    """What the dashboard was given so far, and who is at it.

    Attributes:
        stage: What there was to see: whole generations, trials, and whether the search has ended.
        notes: Versions of our notes by id of the trial.
        study_note: Version of our note of the study.
        worker: Who writes now; empty where nobody does.
        since: When the worker took its turn, by its own clock. It tells its turns apart, and is
            never compared with another clock.
    """

    stage: tuple[int, int, int] = (-1, -1, -1)
    notes: dict[str, int] = field(default_factory=dict)
    study_note: int | None = None
    worker: dict[str, Any] = field(default_factory=dict)
    since: float = 0.0

    @classmethod
    def of(cls, text: str | None) -> Written:
        """What `to_text` wrote; attributes are open to anyone, and what is none begins anew."""
        try:
            data = json.loads(text or "")
            whole, trials, ended = map(int, data["stage"])
            version = data["study_note"]
            return cls(
                stage=(whole, trials, ended),
                notes={str(int(key)): int(number) for key, number in data["notes"].items()},
                study_note=None if version is None else int(version),
                worker=checked_worker(data["worker"]),
                since=float(data["since"]),
            )
        except UNREADABLE:
            return cls()

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    def is_claimed(self, seen: float) -> bool:
        """Return True if a worker writes now, as far as can be known.

        Args:
            seen: Seconds that this process has seen the attribute as it is.
        """
        return bool(self.worker) and seen < _PATIENCE and not is_dead(self.worker)


class Rows(Protocol):
    """Where the turn is kept; see `StudyRows`."""

    def read(self, key: str) -> str | None:
        """The text of an attribute."""

    def advance(
        self, key: str, expected: str | None, new: str, *, beside: Mapping[str, str | None]
    ) -> bool:
        """Replace it, and others with it."""


class Turn:
    """The turn to write, taken by this process.

    Attributes:
        written: What the dashboard was given so far.
    """

    def __init__(self, rows: Rows, written: Written, text: str, before: str | None) -> None:
        self.written = written
        self._rows, self._text, self._before = rows, text, before

    @classmethod
    def take(cls, study: optuna.Study, stage: tuple[int, int, int], watch: Watch) -> Turn | bool:
        """Take the turn to write a stage.

        Args:
            study: The study.
            stage: The stage to write.
            watch: Measures how long another worker has had its turn.

        Returns:
            The turn; else whether that stage is, or is being, written by somebody.
        """
        rows = rows_of(study)
        before = rows.read(KEY)
        written = Written.of(before)
        if written.stage >= stage:
            return True
        if written.is_claimed(watch.unchanged(study.study_name, before)):
            return False
        written.worker, written.since = this_worker(), time.time()
        text = written.to_text()
        if not rows.advance(KEY, before, text, beside={}):
            return False
        return cls(rows, written, text, before)

    def end(self, stage: tuple[int, int, int], changes: Mapping[str, str | None]) -> None:
        """Write all that changes, unless another worker took us for dead and has the turn."""
        self.written.stage, self.written.worker = stage, {}
        self._rows.advance(KEY, self._text, self.written.to_text(), beside=changes)

    def give_up(self) -> None:
        """Leave the turn to others; whatever prevents that is what prevented the rest too."""
        empty = Written().to_text()
        with suppress(Exception):
            self._rows.advance(KEY, self._text, self._before or empty, beside={})


def rows_of(study: optuna.Study) -> Rows:
    """The system attributes of a study."""
    try:
        return StudyRows(study, "system")
    except TypeError:
        return _PlainRows(study)


class _PlainRows:
    """The attributes in a storage that is no SQL database.

    Two workers that come at the same moment may both write there, and write the same.
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
            # What cannot be removed is emptied.
            empty = 0 if name.endswith("note_ver") else ""
            value = empty if text is None else json.loads(text)
            self._storage.set_study_system_attr(self._study_id, name, value)
        return True
