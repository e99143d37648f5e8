"""What a pointer says of a search's weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.objective.checkpoints.parts import (
    Scored,
    Version,
    Waiting,
    brief,
    fingerprint,
    text_of,
)
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.samplers.seats.claims import Seat

MOST_RECENT = 16
MOST_CHARACTERS = 30_000  # MySQL holds 65,535 bytes an attribute
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """How far a weight set has come.

    Attributes:
        search: Identifies the search that the weights belong to.
        versions: The newest weights and those before, newest first; empty before the first commit.
        waiting: By seat, rising.
        recent: Candidates that were committed last, `brief`, oldest first, one a seat. Where the
            study lacks the score of one, the process died before it was told, and it can be given
            again.
        study: Name of the study that the weights belong to, where it is known.
    """

    search: str
    versions: tuple[Version, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    recent: tuple[Scored, ...] = ()
    study: str | None = None

    def __post_init__(self) -> None:
        numbers = [version.version for version in self.versions]
        if len(numbers) > 2 or numbers != sorted(set(numbers), reverse=True):
            raise ValueError(f"versions must be at most two, the newest first; got {numbers}")
        waiting = [entry.scored.seat for entry in self.waiting]
        if waiting != sorted(set(waiting)):
            raise ValueError("seats of learners that wait must rise")
        if len({scored.seat for scored in self.recent}) != len(self.recent):
            raise ValueError("a seat is twice among the recent ones")

    @property
    def version(self) -> int:
        """Number of commits so far."""
        return self.versions[0].version if self.versions else 0

    @property
    def names(self) -> frozenset[str]:
        """Names of all files that the search needs."""
        files = [*(part.file for part in self.versions), *(part.file for part in self.waiting)]
        return frozenset(file.name for file in files)

    def waiting_at(self, seat: Seat) -> Waiting | None:
        """The learner that waits at a seat."""
        return next((entry for entry in self.waiting if entry.scored.seat == seat), None)

    def scored(self, seat: Seat, architecture: str) -> Scored | None:
        """What an architecture scored at a seat, where the record remembers it."""
        mark = fingerprint(architecture)
        for scored in (*(entry.scored for entry in self.waiting), *reversed(self.recent)):
            if (scored.seat, scored.architecture) == (seat, mark):
                return replace(scored, architecture=architecture)
        return None

    def with_waiting(self, entry: Waiting) -> Record:
        """The record with a learner that waits, instead of one that waited at its seat."""
        others = (other for other in self.waiting if other.scored.seat != entry.scored.seat)
        rising = sorted((*others, entry), key=lambda waiting: waiting.scored.seat)
        return replace(self, waiting=tuple(rising))

    def committed(
        self, version: Version, scored: Sequence[Scored], *, dropped: Seat | None = None
    ) -> Record:
        """The record after a commit.

        Args:
            version: The new weights.
            scored: Candidates that were committed, the newest last.
            dropped: Where a learner waited that does so no more; it is a recent one then.
        """
        waited = [entry.scored for entry in self.waiting if entry.scored.seat == dropped]
        by_seat = {one.seat: one for one in self.recent}
        for one in (*waited, *scored):
            by_seat.pop(one.seat, None)  # so that it comes last
            by_seat[one.seat] = one
        return replace(
            self,
            versions=(version, *self.versions)[:2],
            waiting=tuple(entry for entry in self.waiting if entry.scored.seat != dropped),
            recent=tuple(by_seat.values())[-MOST_RECENT:],
        )

    def to_text(self) -> str:
        """One line of JSON; `from_text` reads it back.

        Of many recent candidates only the newest are in it, so that every database takes it.

        Raises:
            ValueError: More learners wait than there is room for, which is for some 80.
        """
        for first in range(len(self.recent) + 1):
            text = json.dumps(self._to_data(self.recent[first:]), allow_nan=False)
            if len(text) <= MOST_CHARACTERS:
                return text
        raise ValueError(
            f"at most {MOST_CHARACTERS} characters of learners can wait for their partners; got "
            f"{len(self.waiting)} learners in {len(text)}: search with fewer workers"
        )

    def _to_data(self, recent: tuple[Scored, ...]) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "search": self.search,
            "study": self.study,
            "versions": [version.to_data() for version in self.versions],
            "waiting": [entry.to_data() for entry in self.waiting],
            "recent": [scored.to_data() for scored in recent],
        }

    @classmethod
    def from_text(cls, text: str) -> Record:
        """The record that `to_text` wrote.

        Raises:
            ValueError: The text is none; one line says why.
        """
        try:
            data = json.loads(text)
            if data["format"] != _FORMAT:
                raise ValueError(f"its format is {brief(data['format'])}, and must be {_FORMAT}")
            study = data.get("study")  # records of before do not say
            return cls(
                search=text_of(data["search"]),
                study=None if study is None else text_of(study),
                versions=tuple(Version.from_data(entry) for entry in data["versions"]),
                waiting=tuple(Waiting.from_data(entry) for entry in data["waiting"]),
                recent=tuple(Scored.from_data(entry) for entry in data["recent"]),
            )
        except UNREADABLE as error:
            reason = str(error) if type(error) is ValueError else repr(error)
            raise ValueError(f"no record of weights, for {' '.join(reason.split())}") from error
