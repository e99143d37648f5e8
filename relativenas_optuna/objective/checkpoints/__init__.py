"""The shared weights of a search outside of its processes.

The public names are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.lazy import lazy_names

if TYPE_CHECKING:
    from relativenas_optuna.exceptions import DamagedFileError
    from relativenas_optuna.objective.checkpoints.artifact_files import ArtifactFiles
    from relativenas_optuna.objective.checkpoints.checkpoint import Checkpoint
    from relativenas_optuna.objective.checkpoints.folder_store import FolderStore
    from relativenas_optuna.objective.checkpoints.parts import Scored, Stored, Version, Waiting
    from relativenas_optuna.objective.checkpoints.pointer import FilePointer, Pointer, pointer_of
    from relativenas_optuna.objective.checkpoints.record import Record
    from relativenas_optuna.objective.checkpoints.store import Store
    from relativenas_optuna.storages.study_attributes import StudyPointer, agreed

__all__ = [
    "ArtifactFiles",
    "Checkpoint",
    "DamagedFileError",
    "FilePointer",
    "FolderStore",
    "Pointer",
    "Record",
    "Scored",
    "Store",
    "Stored",
    "StudyPointer",
    "Version",
    "Waiting",
    "agreed",
    "pointer_of",
]

_HOMES = {
    "ArtifactFiles": "objective.checkpoints.artifact_files",
    "Checkpoint": "objective.checkpoints.checkpoint",
    "DamagedFileError": "exceptions",
    "FilePointer": "objective.checkpoints.pointer",
    "FolderStore": "objective.checkpoints.folder_store",
    "Pointer": "objective.checkpoints.pointer",
    "Record": "objective.checkpoints.record",
    "Scored": "objective.checkpoints.parts",
    "Store": "objective.checkpoints.store",
    "Stored": "objective.checkpoints.parts",
    "StudyPointer": "storages.study_attributes",
    "Version": "objective.checkpoints.parts",
    "Waiting": "objective.checkpoints.parts",
    "agreed": "storages.study_attributes",
    "pointer_of": "objective.checkpoints.pointer",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
