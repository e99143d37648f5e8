"""Where the pictures for optuna-dashboard are."""

from __future__ import annotations

from pathlib import Path

from relativenas_optuna.plan import DEFAULT_OUT

_NAME = "artifacts"


def artifact_folder(out: str | Path) -> Path:
    """The folder for the pictures of a search that writes to `out`, for `--artifact-dir`.

    A dashboard has one folder for all studies of a database. So searches that write where they do
    by default, to `relativenas-out/STUDY`, have one together, beside theirs; any other folder has
    its own inside.

    Args:
        out: The folder of the search, `SearchPlan.out`.
    """
    folder = Path(out)
    shared = folder.parent.name == DEFAULT_OUT
    return (folder.parent if shared else folder) / _NAME
