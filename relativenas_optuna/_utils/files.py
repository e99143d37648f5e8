"""Files are written whole or not at all, and their names lead nowhere else."""

from __future__ import annotations

import codecs
import os
from glob import escape
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

_LONGEST_NAME = 100  # file systems end at 255, and paths at less on some


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes a file so that, kill or power cut at any moment, it is the old or the new one whole.

    Args:
        path: Of the file.
        content: All of it.

    Raises:
        OSError: The folder does not exist or cannot be written; the old file is as it was.
    """
    path = Path(path)
    # In the same folder, since a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # what is written to a full disk does not say where
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path, name: str | None = None) -> None:
    """Removes what `write_whole` left where a process was killed; nobody may be writing there.

    Args:
        folder: Of the files.
        name: Of the file that was written; `None`: of any.
    """
    for part in folder.glob(f".{'*' if name is None else escape(name)}.*.tmp"):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Sees to it that the names in a folder are on disk.

    Raises:
        OSError: The folder does not exist, or the disk failed.
    """
    if os.name != "posix":  # elsewhere a folder cannot be opened, and a rename is durable
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def decoded(content: bytes) -> str:
    """Return the text of a user's file: UTF-8, with or without a byte order mark, or UTF-16.

    Editors and PowerShell on Windows write a byte order mark; UTF-16 is read only with one.

    Raises:
        UnicodeDecodeError: It is neither.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf16 else "utf-8-sig")


def file_name(text: str) -> str:
    """A text as a file name: nothing in it leads elsewhere, and no system minds it."""
    quoted = quote(text, safe=" ") or "%"
    if quoted[0] in ". ":
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if quoted[-1] in ". ":
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    if len(quoted) > _LONGEST_NAME:
        quoted = f"{quoted[:_LONGEST_NAME]}~{sha256(text.encode()).hexdigest()[:16]}"
    return quoted
