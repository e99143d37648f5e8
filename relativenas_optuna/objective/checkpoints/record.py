"""The record that a search's pointer holds: its files of weights, and its last scores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from relativenas_optuna._utils.checked_fields import Count, from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.objective.checkpoints.store import StoredFile
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.storages.stored_json import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_RECENT = 16  #: Scores that a record remembers.
MOST_CHARACTERS = 40_000  #: Length of a record; MySQL stores 65,535 bytes in an attribute.
_LONGEST_REASON = 300  # characters of an error


@dataclass(frozen=True, kw_only=True)
class CandidateScore:
    """The results of a candidate that was trained and scored.

    Attributes:
        seat: Seat of the candidate; for a candidate without one its `trials.place_of`, by which it
            was trained.
        architecture: Text of the architecture, or its `fingerprint`.
        loss: Value that the study receives.
        accuracy: Share of the validation images classified correctly, 0 to 1.
        train_loss: Mean loss during training.
    """

    seat: Seat
    architecture: str
    loss: float
    accuracy: float
    train_loss: float

    @property
    def brief(self) -> CandidateScore:
        """The same results with the `fingerprint` of the architecture in place of its text."""
        return replace(self, architecture=fingerprint(self.architecture))


@dataclass(frozen=True, kw_only=True)
class Version:
    """A file with all shared weights after a number of commits.

    Attributes:
        version: Number of commits.
        file: File with all weights.
    """

    version: Count
    file: StoredFile


@dataclass(frozen=True, kw_only=True)
class WaitingLearner:
    """The first learner of a pair whose partner is not scored yet.

    Attributes:
        score: Results of the learner, `brief`.
        file: File with the learner's weights.
        start_version: Number of commits behind the weights that it started with.
    """

    score: CandidateScore
    file: StoredFile
    start_version: Count


@dataclass(frozen=True, kw_only=True)
class Record:
    """The state of a search's shared weights.

    Attributes:
        search: Identifier of the search that the weights belong to.
        versions: The newest weights and those before, newest first; empty before the first commit.
        waiting: Learners that wait for their partners, by rising seat.
        recent: Scores of the candidates committed last, `brief`, oldest first, one per seat. If a
            process dies between the commit and its report to the study, the score is read here.
        study: Name of the study that the weights belong to, if known.
    """

    search: str
    versions: tuple[Version, ...] = ()
    waiting: tuple[WaitingLearner, ...] = ()
    recent: tuple[CandidateScore, ...] = ()
    study: str | None = None

    def __post_init__(self) -> None:
        numbers = [version.version for version in self.versions]
        if len(numbers) > 2 or numbers != sorted(set(numbers), reverse=True):
            raise ValueError(f"versions must be at most two, the newest first; got {numbers}")
        waiting = [learner.score.seat for learner in self.waiting]
        if waiting != sorted(set(waiting)):
            raise ValueError("seats of waiting learners must rise")
        recent = [score.seat for score in self.recent]
        if len(set(recent)) != len(recent):
            raise ValueError("each seat may occur only once in the recent scores")
        if any(min(seat.generation, seat.number) < 0 for seat in (*waiting, *recent)):
            raise ValueError("generations and numbers of seats must be at least 0")

    @property
    def version(self) -> int:
        """Number of commits so far."""
        return self.versions[0].version if self.versions else 0

    @property
    def file_names(self) -> frozenset[str]:
        """Names of all files that the search needs."""
        files = [*(one.file for one in self.versions), *(one.file for one in self.waiting)]
        return frozenset(file.name for file in files)

    def waiting_at(self, seat: Seat) -> WaitingLearner | None:
        """Return the learner that waits at a seat; None if there is none."""
        return next((learner for learner in self.waiting if learner.score.seat == seat), None)

    def score_of(self, seat: Seat, architecture: str) -> CandidateScore | None:
        """Return the score of an architecture at a seat; None if the record does not have it."""
        mark = fingerprint(architecture)
        for score in (*(learner.score for learner in self.waiting), *reversed(self.recent)):
            if (score.seat, score.architecture) == (seat, mark):
                return replace(score, architecture=architecture)
        return None

    def with_waiting(self, learner: WaitingLearner) -> Record:
        """Return the record with another waiting learner, which replaces one at the same seat."""
        others = (other for other in self.waiting if other.score.seat != learner.score.seat)
        rising = sorted((*others, learner), key=lambda waiting: waiting.score.seat)
        return replace(self, waiting=tuple(rising))

    def committed(
        self, version: Version, scores: Sequence[CandidateScore], *, dropped: Seat | None = None
    ) -> Record:
        """Return the record after a commit.

        Args:
            version: New weights.
            scores: Scores of the committed candidates, `brief`, the newest last.
            dropped: Seat of a learner that no longer waits; its score becomes a recent one.
        """
        waited = [learner.score for learner in self.waiting if learner.score.seat == dropped]
        by_seat = {score.seat: score for score in self.recent}
        for score in (*waited, *scores):
            by_seat.pop(score.seat, None)  # so that it comes last
            by_seat[score.seat] = score
        return replace(
            self,
            versions=(version, *self.versions)[:2],
            waiting=tuple(other for other in self.waiting if other.score.seat != dropped),
            recent=tuple(by_seat.values())[-MOST_RECENT:],
        )

    def to_text(self) -> str:
        """Return one line of JSON, which `from_text` reads.

        The oldest recent scores are left out if the line would be too long for a database.

        Raises:
            ValueError: The waiting learners alone take too many characters (about 90 have room).
        """
        data = {field.name: plain(getattr(self, field.name)) for field in fields(self)}
        for first in range(len(self.recent) + 1):
            shorter = data | {"recent": data["recent"][first:]}
            text = json.dumps(shorter, allow_nan=False, separators=(",", ":"))
            if len(text) <= MOST_CHARACTERS:
                return text
        raise ValueError(
            f"at most {MOST_CHARACTERS} characters of learners can wait for their partners; got "
            f"{len(self.waiting)} learners in {len(text)}: search with fewer workers"
        )

    @classmethod
    def from_text(cls, text: str) -> Record:
        """Return the record that `to_text` wrote.

        Raises:
            ValueError: The text is something else; the message is one line.
        """
        try:
            return from_data(cls, json.loads(text))
        except UNREADABLE as error:
            reason = str(error) if type(error) is ValueError else repr(error)
            reason = " ".join(reason.split())[:_LONGEST_REASON]
            raise ValueError(f"not a record of weights: {reason}") from error


def fingerprint(architecture: str) -> str:
    """Return a short name of an architecture, whose text may be long."""
    return hashlib.sha256(architecture.encode()).hexdigest()[:32]
