"""The weight set of a search outside its processes."""

from relativenas_optuna.checkpoints.artifact_files import ArtifactFiles
from relativenas_optuna.checkpoints.checkpoint import Checkpoint
from relativenas_optuna.checkpoints.folder_store import FolderStore
from relativenas_optuna.checkpoints.parts import Scored, Stored, Version, Waiting
from relativenas_optuna.checkpoints.pointer import (
    FilePointer,
    Pointer,
    StudyPointer,
    agreed,
    pointer_of,
)
from relativenas_optuna.checkpoints.record import Record
from relativenas_optuna.checkpoints.store import DamagedFileError, Store

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
