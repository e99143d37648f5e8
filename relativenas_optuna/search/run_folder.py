"""Create, lock and clean up the folder of a search."""

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
    """Remove folders that the block created if an error leaves them empty.

    Parent folders that the block created are removed too.

    Args:
        folders: Paths of folders, which may exist or not.
        on_success: True to remove empty folders also if the block ends without an error.
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
    """Create a folder if it is missing.

    Raises:
        SearchError: The folder cannot be created or written to.
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
    """Lock a folder against other processes of this machine.

    The end of the process releases the lock.

    Args:
        folder: An existing folder.
        use: Verb for the error message, such as "searched".
        option: Command line option that selects another folder, for the error message.

    Raises:
        FolderInUseError: Another process holds the lock.
    """
    try:
        with lock_file(Path(folder) / _LOCK_NAME, timeout=0, remove=True):
            yield
    except Timeout as error:
        raise FolderInUseError(
            f"folder {folder!r} is being {use} into by another process: wait for it, end it, or "
            f"take another {option}"
        ) from error
