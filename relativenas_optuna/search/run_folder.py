"""The folder of a search: made beforehand, and used by one search at a time."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from relativenas_optuna._utils.locks import locked as lock_file
from relativenas_optuna.exceptions import FolderInUseError, SearchError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_NAME = ".search.lock"


@contextmanager
def empty_folders_removed(*folders: str, on_success: bool = False) -> Iterator[None]:
    """Remove folders that an error in the block leaves empty, if the block made them.

    Their parents that were missing before are removed too.

    Args:
        folders: Paths of folders, whether they exist or not.
        on_success: True to remove them also if the block ends without an error.
    """
    paths = [path for folder in folders for path in (Path(folder), *Path(folder).parents)]
    missing = sorted({path for path in paths if not path.exists()}, key=str, reverse=True)
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        for path in missing if on_success or not succeeded else []:
            with suppress(OSError):  # it is not there, or something is in it
                if [inner.name for inner in path.iterdir()] == [_LOCK_NAME]:  # a lock held here
                    (path / _LOCK_NAME).unlink()
                path.rmdir()


def make_folder(folder: str) -> None:
    """Make a folder where it is missing.

    Raises:
        SearchError: It cannot be made or written to.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
    except OSError as error:
        raise SearchError(
            f"folder {folder!r} cannot be written ({error.strerror}): give another with --out"
        ) from error


@contextmanager
def locked(folder: str, *, use: str = "searched", option: str = "--study") -> Iterator[None]:
    """Keep a second search of this machine, also one that only loads its data, from a folder.

    The lock ends with the process, however it ends.

    Args:
        folder: An existing folder.
        use: Verb for the message, such as "searched".
        option: Option that names another folder, for the message.

    Raises:
        FolderInUseError: Another process has the folder.
    """
    try:
        with lock_file(Path(folder) / _LOCK_NAME, timeout=0, remove=True):
            yield
    except Timeout as error:
        raise FolderInUseError(
            f"folder {folder!r} is being {use} into by another process: wait for it, end it, or "
            f"take another {option}"
        ) from error
