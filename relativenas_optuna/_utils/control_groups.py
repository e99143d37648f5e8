"""Read the limits that Linux control groups (containers, systemd, Slurm) set for this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def limit_texts(controller: str, second: str, *first: str) -> Iterator[list[str]]:
    """Yield the contents of the files of a limit, for each control group around this process.

    Args:
        controller: Name of the controller, such as "memory".
        second: Name of the file in version 2 of control groups.
        first: Names of the files in version 1.
    """
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        names = [second]
        root = _GROUPS
        if controllers:
            if controller not in controllers.split(","):
                continue
            root, names = _GROUPS / controller, list(first)
        inner = PurePosixPath(group.lstrip("/"))
        for folder in (inner, *inner.parents):
            with suppress(OSError):
                yield [(root / folder / name).read_text() for name in names]
