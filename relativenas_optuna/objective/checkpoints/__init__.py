"""The shared weights of a search on disk or in a bucket.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DamagedFileError
    from relativenas_optuna.objective.checkpoints.artifact_files import ArtifactFiles
    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.checkpoints.pointer import FilePointer, Pointer, pointer_of
    from relativenas_optuna.objective.checkpoints.record import (
        CandidateScore,
        Record,
        Version,
        WaitingLearner,
    )
    from relativenas_optuna.objective.checkpoints.store import FolderStore, Store, StoredFile
    from relativenas_optuna.storages.study_attributes import StudyPointer, agreed

__all__ = [
    "ArtifactFiles",
    "CandidateScore",
    "Checkpoint",
    "DamagedFileError",
    "FilePointer",
    "FolderStore",
    "Pointer",
    "Record",
    "Store",
    "StoredFile",
    "StudyPointer",
    "Version",
    "WaitingLearner",
    "agreed",
    "pointer_of",
]

_HOMES = {
    "ArtifactFiles": "objective.checkpoints.artifact_files",
    "CandidateScore": "objective.checkpoints.record",
    "Checkpoint": "objective.checkpoints.checkpoint",
    "DamagedFileError": "exceptions",
    "FilePointer": "objective.checkpoints.pointer",
    "FolderStore": "objective.checkpoints.store",
    "Pointer": "objective.checkpoints.pointer",
    "Record": "objective.checkpoints.record",
    "Store": "objective.checkpoints.store",
    "StoredFile": "objective.checkpoints.store",
    "StudyPointer": "storages.study_attributes",
    "Version": "objective.checkpoints.record",
    "WaitingLearner": "objective.checkpoints.record",
    "agreed": "storages.study_attributes",
    "pointer_of": "objective.checkpoints.pointer",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
