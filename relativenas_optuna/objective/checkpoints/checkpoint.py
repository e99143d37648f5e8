"""The weight set of a search outside its processes: cannot be lost, and any number share it."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relativenas_optuna.exceptions import DamagedFileError
from relativenas_optuna.networks.io.tensors_file import replaced, to_bytes
from relativenas_optuna.objective.checkpoints.ledger import Ledger, store_of
from relativenas_optuna.objective.checkpoints.parts import Scored, Waiting
from relativenas_optuna.objective.checkpoints.record import Record
from relativenas_optuna.objective.checkpoints.syncing import Syncing, fitting
from relativenas_optuna.objective.weight_set import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from optuna.artifacts._protocol import ArtifactStore

    from relativenas_optuna.objective.checkpoints.pointer import Pointer
    from relativenas_optuna.objective.checkpoints.store import Store
    from relativenas_optuna.objective.weight_set import WeightSet
    from relativenas_optuna.samplers.seats.claims import Seat


class Checkpoint:
    """Keeps the newest committed weights of a search, those before, and learners that wait.

    All of it is in files that are written once and never changed, and one pointer says which of
    them count. A file is complete on disk before the pointer names it, and is removed after the
    pointer names others. So a process that ends at any moment, by a kill or a full disk, leaves the
    search as it was before or after the step that it was at.

    Any number of processes may share one pointer and store: each brings its own weight set to the
    newest version, and commits what its learners learned over that.

    Args:
        place: A folder, or an artifact store of Optuna's, for the files.
        pointer: What all processes of the search read and advance; see `pointer_of`.
        search: Identifies the search that the weights belong to.

    Raises:
        OSError: The folder cannot be made or written to.
    """

    def __init__(
        self, place: str | Path | Store | ArtifactStore, *, pointer: Pointer, search: str
    ) -> None:
        self._ledger = Ledger(store_of(place), pointer, search)
        self._syncing = Syncing(self._ledger)
        self._cleaned = False

    def record(self) -> Record | None:
        """What the pointer says; `None` before anything was kept. Errors are those of `sync`."""
        return self._ledger.read()[1]

    def is_lost(self) -> bool:
        """Whether the pointer names weights, and none of their files is there."""
        while True:
            text, record = self._ledger.read()
            versions = () if record is None else record.versions
            if not versions or any(self._ledger.holds(version.file) for version in versions):
                return False
            if self._ledger.is_at(text):  # else others committed and removed meanwhile
                return True

    def scored(self, seat: Seat, architecture: str) -> Scored | None:
        """What an architecture scored at a seat, unless that was long ago."""
        record = self.record()
        return None if record is None else record.scored(seat, architecture)

    def sync(self, weights: WeightSet) -> Record | None:
        """Bring a weight set to the newest committed version, if it is at another one.

        Where the newest file is missing or damaged, a warning says so, and the one before is the
        newest from here on.

        Returns:
            What the pointer says; `None` before anything was kept.

        Raises:
            OSError, StorageInternalError: Pointer or file cannot be read.
            RuntimeError: A candidate is being trained.
            ValueError: Both files are missing or damaged, or are of another search or supernet. The
                weight set is then as before.
        """
        if not self._cleaned:
            with self._ledger.alone():
                self._cleaned = True
        return self._syncing.sync(weights)[1]

    def save_waiting(self, scored: Scored, trained: Trained, start_version: int) -> None:
        """Keep the first learner of a pair until its partner is scored.

        One that waited at the same seat is kept no more.

        Args:
            scored: What it scored.
            trained: What it learned.
            start_version: `weights.version` when it began.

        Raises:
            OSError, StorageInternalError: It cannot be written; what was kept before still is.
            ValueError: The pointer is of another search, or too many learners wait.
        """
        search = self._ledger.search
        metadata = {"search": search, "scored": json.dumps(scored.to_data())}
        content = to_bytes(trained.tensors, metadata)
        seat = scored.seat
        with self._ledger.alone():
            file = self._ledger.put(f"waiting-{seat.generation}-{seat.number}", content)
            entry = Waiting(scored=scored.brief, file=file, start_version=start_version)
            while True:
                text, record = self._ledger.read()
                record = record or Record(search=search)
                if self._ledger.advance(text, record.with_waiting(entry)):
                    break
            before = record.waiting_at(seat)
            self._ledger.remove([before.file.name] if before else [])

    def waiting(
        self, seat: Seat, weights: WeightSet, parse: Callable[[str], Any]
    ) -> tuple[Scored, Trained] | None:
        """The learner that waits at a seat.

        Args:
            seat: Of the learner.
            weights: Whose supernet it was trained in.
            parse: Makes an architecture of the text that it was saved with.

        Returns:
            What it scored and what it learned; `None` where none waits there, and, after a warning,
            where its file is missing or damaged.

        Raises:
            OSError, StorageInternalError: Pointer or file cannot be read.
            ValueError: The pointer is of another search, or the learner of another supernet.
        """
        while True:
            text, record = self._ledger.read()
            entry = None if record is None else record.waiting_at(seat)
            if entry is None:
                return None
            try:
                found = self._ledger.get(entry.file)
            except DamagedFileError as error:
                if not self._ledger.is_at(text):
                    continue
                warnings.warn(f"{error}; what the first of a pair learned is lost", stacklevel=2)
                return None
            scored = Scored.from_data(json.loads(found.metadata["scored"]))
            device = next(weights.supernet.parameters()).device
            trained = Trained(
                genotype=parse(scored.architecture),
                tensors={name: tensor.to(device) for name, tensor in found.tensors.items()},
            )
            with fitting(entry.file, found, weights):
                weights.check(trained)
            return scored, trained

    def commit(
        self,
        weights: WeightSet,
        learners: Sequence[Trained],
        *,
        scored: Sequence[Scored] = (),
        drop_waiting: Seat | None = None,
    ) -> int | None:
        """Make what learners learned part of the newest weights, here and for all processes.

        Only the learners' own tensors are written, over the newest weights that anyone committed.

        Args:
            weights: At the version that the learners began with, or that the second of a pair did.
            learners: What a later one learned is written over that of an earlier one.
            scored: What is to be remembered as scored, the newest last.
            drop_waiting: Where one of them waited; it is remembered as scored too.

        Returns:
            How many commits by others came between the begin of the learners and this one. `None`
            where the one that waited does so no more, for another process committed it: nothing
            was committed then.

        Raises:
            OSError, StorageInternalError: It cannot be written. If it was the pointer, whether it
                was is not known, and `scored` says; the weights are then those of a commit.
            RuntimeError: A candidate is being trained.
            ValueError: Learners do not belong to their genotype, or see `sync`.
        """
        for learner in learners:
            weights.check(learner)
        learned = {name: t for learner in learners for name, t in learner.tensors.items()}
        started, ledger = weights.version, self._ledger
        with ledger.alone():
            while True:
                text, record = self._syncing.sync(weights)
                record, own, version = record or Record(search=ledger.search), [], weights.version
                waited = None if drop_waiting is None else record.waiting_at(drop_waiting)
                if drop_waiting is not None and waited is None:
                    return None
                if record.versions:
                    shared = self._syncing.content(weights)
                else:
                    # So that there are weights to go back to from the first commit on.
                    shared = self._syncing.first(weights)
                    own = [ledger.put_version(version, shared)]
                    record = replace(record, versions=(own[0],))
                content = replaced(shared, learned)
                own.append(ledger.put_version(version + 1, content))
                after = record.committed(own[-1], [s.brief for s in scored], dropped=drop_waiting)
                if ledger.advance(text, after):
                    break
                ledger.remove(one.file.name for one in own)
            weights.commit(*learners)
            self._syncing.bring(weights, own[-1], content)
            ledger.remove(record.names - after.names)
        return max(0, version - (min(started, waited.start_version) if waited else started))
