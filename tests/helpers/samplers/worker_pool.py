"""Real worker processes that begin at once and may be killed at any moment.

`python -m tests.helpers.samplers.worker_pool` imports everything once, and forks a worker off for
each job that a line of its input describes. `Nursery` is the other end of it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).parents[3]


class Nursery:
    """Starts workers, kills them, and waits for their ends."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.samplers.worker_pool"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._pids: Queue[int] = Queue()
        self._ends: dict[int, int] = {}
        self._ended = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, kind: str, **job: Any) -> int:
        """Fork a process off; returns its pid.

        Args:
            kind: A name of `worker_process.KINDS`.
            job: What that function is called with.
        """
        self._write({"kind": kind} | job)
        return self._pids.get(timeout=60)

    def is_running(self, pid: int) -> bool:
        """Whether a process has not ended yet."""
        with self._ended:
            return pid not in self._ends

    def wait(self, pid: int, timeout: float = 120) -> int:
        """The exit status of a process; minus the signal, where that ended it."""
        with self._ended:
            assert self._ended.wait_for(lambda: pid in self._ends, timeout), f"{pid} does not end"
            return self._ends[pid]

    def kill(self, pid: int) -> int:
        """SIGKILL; returns the exit status, which may be another one where it came too late."""
        self._write({"kill": pid})  # by the server, which knows whether there still is one
        return self.wait(pid)

    def close(self) -> None:
        """Kill what is left."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def _write(self, job: dict[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()

    def _listen(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            what, pid, status = line.split()
            if what == "begun":
                self._pids.put(int(pid))
            else:
                with self._ended:
                    self._ends[int(pid)] = int(status)
                    self._ended.notify_all()


def serve() -> None:
    """Fork a process off for each line, and say how each ends; all end with the input."""
    from tests.helpers.samplers.worker_process import KINDS, prepare

    prepare()
    running: set[int] = set()
    while True:
        readable, _, _ = select.select([0], [], [], 0.02)
        if readable:
            line = _read_line()
            if not line:
                break
            job = json.loads(line)
            if "kill" in job:
                if job["kill"] in running:
                    os.kill(job["kill"], signal.SIGKILL)
            else:
                running.add(_begin(KINDS, job))
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                _say("ended", pid, os.waitstatus_to_exitcode(status))
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _begin(kinds: dict[str, Callable[..., None]], job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _run(kinds, job)
    _say("begun", pid, 0)
    return pid


def _run(kinds: dict[str, Callable[..., None]], job: dict[str, Any]) -> None:
    """What the child does, to its end."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the pipes are the server's
        os.dup2(2, 1)
        kinds[job.pop("kind")](**job)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _read_line() -> str:
    """A line, without a buffer that would hide the next one from `select`."""
    read = b""
    while not read.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return ""
        read += byte
    return read.decode()


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    serve()
