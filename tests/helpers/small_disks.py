"""File systems of a few megabytes, and filling them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_FILLER = "filler"


@contextmanager
def file_system(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """Yield a separate file system in a new folder; skip the test without the right to mount."""
    folder.mkdir()
    options = f"size={megabytes}m"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, room: int) -> None:
    """Leave no more than so many bytes, although others write at the same time."""
    with (disk / _FILLER).open("ab", buffering=0) as filler:
        while (free := _free(disk)) > room:
            with suppress(OSError):  # others were quicker
                filler.write(bytes(free - room))


def empty(disk: Path) -> None:
    """Give back what `fill` took."""
    (disk / _FILLER).unlink(missing_ok=True)


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
