"""A checkpoint in a folder, and one in an artifact store."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.artifacts import FileSystemArtifactStore

from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.objective.checkpoints.pointer import POINTER_NAME
from tests.helpers.checkpoints.stores import in_folder


@pytest.fixture(params=["folder", "artifacts"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoint:
    if request.param == "folder":
        return in_folder(tmp_path)
    store = FileSystemArtifactStore(tmp_path)
    return Checkpoint(store, pointer=FilePointer(tmp_path / POINTER_NAME), search="s")
