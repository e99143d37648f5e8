"""Build command lines for messages, for example to continue a search."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from relativenas_optuna._utils.text import shown_path

if TYPE_CHECKING:
    pass


def command(*words: str, storage: str, study: str | None = None) -> str:
    """Return a `relativenas` command line for a message.

    Args:
        words: The command and its arguments, not yet quoted.
        storage: URL of the storage; left out if it is the default.
        study: Name of the study; left out if it is None or the default.
    """
    # Imported here, because `program` must also work if Ctrl-C interrupted the import of Optuna.
    from relativenas_optuna.search.defaults import DEFAULT_STORAGE, DEFAULT_STUDY

    options = []
    if storage != DEFAULT_STORAGE:
        options += ["--storage", storage]
    if study not in (None, DEFAULT_STUDY):
        options += ["--study", str(study)]
    return f"{program('relativenas')} {shlex.join([*words, *options])}"


def program(name: str) -> str:
    """Return the shell word that starts a program of this Python environment: its name or path."""
    beside = Path(sys.executable).parent / name
    on_path = shutil.which(name)
    if on_path is None or Path(on_path).resolve() != beside.resolve():
        return shlex.quote(shown_path(beside)) if beside.exists() else name
    return name
