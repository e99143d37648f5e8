"""The folder of the drawings for optuna-dashboard."""

from __future__ import annotations

from pathlib import Path

_NAME = "artifacts"


def artifact_folder(out: str | Path) -> Path:
    """Return the folder of a search's drawings, for `optuna-dashboard --artifact-dir`.

    It is inside, so that workers on other machines, where that folder has another path, write
    theirs to the same one.

    Args:
        out: The folder of the search, `SearchPlan.out`, as it is called here.
    """
    return Path(out) / _NAME
