"""The folder of the drawings for optuna-dashboard."""

from __future__ import annotations

from pathlib import Path

_NAME = "artifacts"


def artifact_folder(out: str | Path) -> Path:
    """Return the folder of a search's drawings, for `optuna-dashboard --artifact-dir`.

    It is inside the folder of the search, so that workers on all machines write to the same folder,
    even if its path differs between machines.

    Args:
        out: Folder of the search on this machine, such as `SearchPlan.out`.
    """
    return Path(out) / _NAME
