"""Write files whole or not at all, decode a user's text file, and turn texts into file names."""

from __future__ import annotations

import codecs
import os
from glob import escape
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

_LONGEST_NAME = 100  # file systems end at 255, and paths at less on some


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all, even if the process is killed or the power fails.

    Args:
        path: Path of the file; an existing file is replaced.
        content: The whole new content.

    Raises:
        OSError: The folder does not exist or cannot be written to. The old file is unchanged.
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
            error.filename = str(path)  # the error of a full disk names no file
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files that `write_whole` left when its process was killed.

    No other process may be writing to the folder.

    Args:
        folder: Folder to clean.
        name: Name of the file that `write_whole` was writing; None for all files.
    """
    for part in folder.glob(f".{'*' if name is None else escape(name)}.*.tmp"):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the file names in a folder to disk.

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
    """Return the text of a file that a user wrote, in UTF-8 or UTF-16.

    UTF-8 may start with a byte order mark, as some Windows editors and PowerShell write it. UTF-16
    must start with one.

    Raises:
        UnicodeDecodeError: The content is neither UTF-8 nor UTF-16.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf16 else "utf-8-sig")


def file_name(text: str) -> str:
    """Return a text as a file name that every operating system allows.

    The name contains no path separator. Special characters are percent-encoded, and names over 100
    characters are cut and get a hash of the text.
    """
    quoted = quote(text, safe=" ") or "%"
    if quoted[0] in ". ":
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if quoted[-1] in ". ":
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    if len(quoted) > _LONGEST_NAME:
        quoted = f"{quoted[:_LONGEST_NAME]}~{sha256(text.encode()).hexdigest()[:16]}"
    return quoted
