"""Real worker processes that start at once and may be killed at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.helpers.forked import context
from tests.helpers.samplers.worker_process import run

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess


class WorkerPool:
    """Starts workers, kills them, and waits for their ends."""

    def __init__(self) -> None:
        self._processes: dict[int, ForkServerProcess] = {}

    def start(self, kind: str, **job: Any) -> int:
        """Start a process and return its process ID.

        Args:
            kind: A name of `worker_process.KINDS`.
            job: Keyword arguments of that function.
        """
        process = context.Process(target=run, args=(kind, job))
        process.start()
        assert process.pid is not None
        self._processes[process.pid] = process
        return process.pid

    def is_running(self, pid: int) -> bool:
        """Return True if a process has not ended yet."""
        return self._processes[pid].exitcode is None

    def wait(self, pid: int, timeout: float = 120) -> int:
        """Wait for the end of a process and return its exit status, -N after signal N."""
        process = self._processes[pid]
        process.join(timeout)
        assert process.exitcode is not None, f"{pid} does not end"
        return process.exitcode

    def kill(self, pid: int) -> int:
        """Kill a process and return its exit status, which is another one if it had ended."""
        self._processes[pid].kill()
        return self.wait(pid)

    def close(self) -> None:
        """Kill the processes that still run."""
        for pid in self._processes:
            self.kill(pid)
