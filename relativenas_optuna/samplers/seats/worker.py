"""Identity of a worker process, in a form that other processes can check."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

_PROC = Path("/proc")
_MOST = 2**31  # no system has higher pids


def this_worker() -> dict[str, Any]:
    """Return the identity of this process: machine, pid and start time.

    The machine includes its boot and its process namespace.
    """
    return {"machine": _machine(), "pid": os.getpid(), "start": _own_start(os.getpid())}


def checked_worker(data: object) -> dict[str, Any]:
    """Return a worker identity that anybody may have written; it may be empty.

    Raises:
        ValueError: The data are not a worker identity.
    """
    if not isinstance(data, dict):
        raise ValueError("a worker must be a JSON object")
    if not data:
        return {}
    machine, pid, start = (data.get(name) for name in ("machine", "pid", "start"))
    if not isinstance(machine, str) or type(pid) is not int or not 0 < pid < _MOST:
        raise ValueError("a worker must have the name of its machine and a pid")
    if start is not None and type(start) not in (int, float):
        raise ValueError("a worker must have the time when it started")
    return {"machine": machine, "pid": pid, "start": start}


def is_here(worker: dict[str, Any]) -> bool:
    """Return True if a worker runs on this machine, or ran there since it booted."""
    return worker.get("machine") == _machine()


def is_dead(worker: dict[str, Any]) -> bool:
    """Return True if a worker's process has ended; always False for one on another machine."""
    if not is_here(worker) or worker == this_worker():
        return False
    try:
        return bool(_start(int(worker["pid"])) != worker["start"])
    except (PermissionError, psutil.AccessDenied):
        return False  # another user's process, which this one may not inspect


@lru_cache(maxsize=1)
def _machine() -> str:
    boot = _PROC / "sys/kernel/random/boot_id"
    boot_id = boot.read_text().strip() if boot.exists() else str(psutil.boot_time())
    # Containers of one machine share its boot, but count their processes apart.
    namespace = _PROC / "self/ns/pid"
    namespace_id = str(namespace.readlink()) if namespace.exists() else ""
    return f"{platform.node()} {boot_id} {namespace_id}".strip()


@lru_cache(maxsize=1)  # one pid at a time: a forked child is another worker
def _own_start(pid: int) -> float | None:
    return _start(pid)


def _start(pid: int) -> float | None:
    """Return when a process started; None if no such process runs.

    On Linux it is in clock ticks since the boot, which no correction of the clock changes.
    """
    try:
        if (_PROC / "self/stat").exists():
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else float(fields[19])
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None
