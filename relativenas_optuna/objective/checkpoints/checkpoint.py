"""The shared weights of a search on disk, which survive kills and are shared by processes."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna._utils.checked_fields import from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.networks.io.tensors_file import replaced, to_bytes
from relativenas_optuna.objective.checkpoints.ledger import (
    Ledger,
    LoadedVersions,
    matching_supernet,
    store_of,
)
from relativenas_optuna.objective.checkpoints.record import CandidateScore, Record, WaitingLearner
from relativenas_optuna.objective.weight_set import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.objective.checkpoints.pointer import Pointer
    from relativenas_optuna.objective.checkpoints.store import Store
    from relativenas_optuna.objective.weight_set import WeightSet
    from relativenas_optuna.samplers.seats.claims import Seat


class Checkpoint:
    """The newest committed weights of a search, those before, and learners that wait for partners.

    Files are written once and never changed; one pointer names those that count. A file is complete
    on disk before the pointer names it, and is removed after the pointer names others. A process
    that ends at any moment, by a kill or a full disk, leaves the search as it was before or after
    the step.

    Any number of processes may share a pointer and a store. Each has its own weight set, loads the
    newest version into it, and commits the weights of its learners over the newest version.

    Args:
        place: Folder, or Optuna artifact store, for the files.
        pointer: Pointer that all processes of the search read and advance; see `pointer_of`.
        search: Identifier of the search that the weights belong to.

    Raises:
        OSError: The folder cannot be made or written to.
    """

    def __init__(
        self, place: str | Path | Store | ArtifactStore, *, pointer: Pointer, search: str
    ) -> None:
        self._ledger = Ledger(store_of(place), pointer, search)
        self._versions = LoadedVersions(self._ledger)
        self._cleaned = False

    def record(self) -> Record | None:
        """Return the pointer's record; None before anything was stored.

        It raises the errors of `sync` about the pointer.
        """
        return self._ledger.read()[1]

    def is_lost(self) -> bool:
        """Return True if the pointer names weights and none of their files exists."""
        while True:
            text, record = self._ledger.read()
            versions = () if record is None else record.versions
            if not versions or any(self._ledger.holds(version.file) for version in versions):
                return False
            if self._ledger.is_at(text):  # else others committed and removed files meanwhile
                return True

    def score_of(self, seat: Seat, architecture: str) -> CandidateScore | None:
        """Return the score of an architecture at a seat; None if the record does not have it."""
        record = self.record()
        return None if record is None else record.score_of(seat, architecture)

    def sync(self, weights: WeightSet) -> Record | None:
        """Load the newest committed version into a weight set that has another one.

        If the newest file is missing or damaged, a warning says so, and the version before becomes
        the newest.

        Returns:
            The pointer's record; None before anything was stored.

        Raises:
            OSError, StorageInternalError: The pointer or the file cannot be read.
            RuntimeError: A candidate is being trained.
            ValueError: Both files are missing or damaged, or are of another search or supernet. The
                weight set is then unchanged.
        """
        if not self._cleaned:
            with self._ledger.locked():
                self._cleaned = True
        return self._versions.sync(weights)[1]

    def save_waiting(self, score: CandidateScore, trained: Trained, start_version: int) -> None:
        """Store the first learner of a pair until its partner is scored.

        It replaces a learner that waits at the same seat.

        Args:
            score: Score of the learner.
            trained: Weights of the learner.
            start_version: `weights.version` when the learner started.

        Raises:
            OSError, StorageInternalError: Nothing can be written; the state before is kept.
            ValueError: The pointer is of another search, or too many learners wait.
        """
        search = self._ledger.search
        metadata = {"search": search, "score": json.dumps(plain(score))}
        content = to_bytes(trained.tensors, metadata)
        seat = score.seat
        with self._ledger.locked():
            file = self._ledger.put(f"waiting-{seat.generation}-{seat.number}", content)
            learner = WaitingLearner(score=score.brief, file=file, start_version=start_version)
            while True:
                text, record = self._ledger.read()
                record = record or Record(search=search)
                if self._ledger.advance(text, record.with_waiting(learner)):
                    break
            before = record.waiting_at(seat)
            self._ledger.remove([before.file.name] if before else [])

    def load_waiting(
        self, seat: Seat, weights: WeightSet, parse: Callable[[str], Any]
    ) -> tuple[CandidateScore, Trained] | None:
        """Load the learner that waits at a seat.

        Args:
            seat: Seat of the learner.
            weights: Weight set of the supernet that the learner was trained in.
            parse: Function that returns the architecture of a text.

        Returns:
            The learner's score and weights; None if no learner waits there, and, after a warning,
            if its file is missing or damaged.

        Raises:
            OSError, StorageInternalError: The pointer or the file cannot be read.
            ValueError: The pointer is of another search, or the learner of another supernet.
        """
        while True:
            text, record = self._ledger.read()
            learner = None if record is None else record.waiting_at(seat)
            if learner is None:
                return None
            try:
                found = self._ledger.get(learner.file)
            except DamagedFileError as error:
                if not self._ledger.is_at(text):
                    continue
                warnings.warn(f"{error}; what the first of a pair learned is lost", stacklevel=2)
                return None
            score = from_data(CandidateScore, json.loads(found.metadata["score"]))
            device = next(weights.supernet.parameters()).device
            trained = Trained(
                genotype=parse(score.architecture),
                tensors={name: tensor.to(device) for name, tensor in found.tensors.items()},
            )
            with matching_supernet(learner.file, found, weights):
                weights.check(trained)
            return score, trained

    def commit(
        self,
        weights: WeightSet,
        learners: Sequence[Trained],
        *,
        scores: Sequence[CandidateScore] = (),
        drop_waiting: Seat | None = None,
    ) -> int | None:
        """Write the weights of learners over the newest weights, here and for all processes.

        Only the learners' own tensors are written.

        Args:
            weights: Weight set at the version that the learners started with. If one learner
                waited, the version that the other started with.
            learners: Weights; those of a later learner replace those of an earlier one.
            scores: Scores for the record, the newest last.
            drop_waiting: Seat of a learner that no longer waits; its score is kept too.

        Returns:
            Number of commits by others between the learners' start and this commit. None if the
            waiting learner is gone, because another process committed it; nothing is committed.

        Raises:
            OSError, StorageInternalError: The files or the pointer cannot be written. `score_of`
                shows if the pointer was written in spite of the error.
            RuntimeError: A candidate is being trained.
            ValueError: The weights of a learner do not belong to its genotype; see also `sync`.
        """
        for learner in learners:
            weights.check(learner)
        learned = {name: t for learner in learners for name, t in learner.tensors.items()}
        started, ledger = weights.version, self._ledger
        with ledger.locked():
            while True:
                text, record = self._versions.sync(weights)
                record, own, version = record or Record(search=ledger.search), [], weights.version
                waited = None if drop_waiting is None else record.waiting_at(drop_waiting)
                if drop_waiting is not None and waited is None:
                    return None
                if record.versions:
                    shared = self._versions.content(weights)
                else:
                    # From the first commit on there are weights to return to.
                    shared = self._versions.whole_content(weights)
                    own = [ledger.put_version(version, shared)]
                    record = replace(record, versions=(own[0],))
                content = replaced(shared, learned)
                own.append(ledger.put_version(version + 1, content))
                after = record.committed(
                    own[-1], [score.brief for score in scores], dropped=drop_waiting
                )
                if ledger.advance(text, after):
                    break
                ledger.remove(one.file.name for one in own)
            weights.commit(*learners)
            self._versions.note(weights, own[-1], content)
            ledger.remove(record.file_names - after.file_names)
        return max(0, version - (min(started, waited.start_version) if waited else started))

    def store_first(self, weights: WeightSet) -> None:
        """Store the weights of a weight set if the search has none yet.

        Raises:
            OSError, StorageInternalError: The file or the pointer cannot be written.
        """
        self._store_whole(weights, weights.version, lambda record: not record.versions)

    def commit_whole(self, weights: WeightSet) -> bool:
        """Store all weights of a weight set as the version after its own.

        Args:
            weights: Weight set within `WeightSet.trained_in_place`, so that its version is the one
                that the training started with.

        Returns:
            False if another process has committed that version; nothing is stored then, and `sync`
            loads the other one.

        Raises:
            OSError, StorageInternalError: The file or the pointer cannot be written.
        """
        before = weights.version
        return self._store_whole(weights, before + 1, lambda record: record.version == before)

    def _store_whole(
        self, weights: WeightSet, number: int, allowed: Callable[[Record], bool]
    ) -> bool:
        """Store all weights as a version, unless the record does not allow it."""
        ledger = self._ledger
        with ledger.locked():
            while True:
                text, found = ledger.read()
                record = found or Record(search=ledger.search)
                if not allowed(record):
                    return False
                content = self._versions.whole_content(weights)
                version = ledger.put_version(number, content)
                after = record.committed(version, [])
                if ledger.advance(text, after):
                    break
                ledger.remove([version.file.name])
            self._versions.note(weights, version, content)
            ledger.remove(record.file_names - after.file_names)
        return True

    def training_lock(self) -> AbstractContextManager[bool]:
        """Keep other processes of this machine from training the same stage.

        It yields False if another process holds the lock, which the end of a process releases. In
        an artifact store, which has no locks, it yields True; two processes may then train the same
        stage, and the first one is committed.
        """
        return self._ledger.training_lock()
