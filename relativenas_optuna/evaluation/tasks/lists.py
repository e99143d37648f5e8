"""Read lists of names, one in each line, that come with a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relativenas_optuna._utils.files import decoded
from relativenas_optuna.exceptions import DataError
from relativenas_optuna.networks.io.description import check_classes

if TYPE_CHECKING:
    from pathlib import Path

CLASSES_FILE = "classes.txt"
"""Name of the file in a data set's folder that lists its classes."""
_LARGEST = 2**26  # bytes


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file without those that are empty.

    Args:
        path: Path of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        DataError: The file is missing, too large or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = decoded(content)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} must be a UTF-8 text: {error}") from error
    if len(content) > _LARGEST:
        raise DataError(f"{str(path)!r} must have at most {_LARGEST:,} bytes; it is larger")
    return [line for text_line in text.splitlines() if (line := text_line.strip())]


def listed_classes(folder: Path) -> tuple[str, ...] | None:
    """Return the names that the file `classes.txt` in a folder lists; None without the file.

    Raises:
        DataError: The file cannot be read, or a name is repeated or not allowed.
    """
    path = folder / CLASSES_FILE
    if not path.exists():
        return None
    classes = tuple(read_lines(path))
    try:
        check_classes(classes)
    except ValueError as error:
        raise DataError(f"{str(path)!r}: {error}") from None
    return classes
