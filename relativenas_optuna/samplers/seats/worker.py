"""Who runs a trial, in a form that another process can check."""

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
    """This process: its machine (one boot of it, one process namespace), pid and start time."""
    return {"machine": _machine(), "pid": os.getpid(), "start": _own_start(os.getpid())}


def checked_worker(data: object) -> dict[str, Any]:
    """Return what `this_worker` wrote, or an empty worker, from whoever wrote it.

    Raises:
        ValueError: It is something else.
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
    """Whether a worker runs, or ran, on this machine since it booted."""
    return worker.get("machine") == _machine()


def is_dead(worker: dict[str, Any]) -> bool:
    """Whether a worker is known to be gone. One on another machine is never known to be."""
    if not is_here(worker) or worker == this_worker():
        return False
    try:
        return bool(_start(int(worker["pid"])) != worker["start"])
    except (PermissionError, psutil.AccessDenied):
        return False  # another user's process that may not be looked at


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
    """When a process started; `None` where no such process runs.

    Linux counts in clock ticks since the boot, which no correction of the clock moves.
    """
    try:
        if (_PROC / "self/stat").exists():
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else float(fields[19])
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None
