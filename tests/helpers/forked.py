"""Processes that are forked from a server, which has imported what takes seconds to import."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

# One server for all tests of a process: the preload counts only until it starts.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.helpers.preloaded"])


class ForkedProcess:
    """A real process with the interface of `subprocess.Popen`, in a process group of its own.

    Attributes:
        stdout: Standard output of the process, as text.
        stderr: Standard error of the process, as text.
    """

    def __init__(
        self,
        function: Callable[..., object],
        *arguments: Any,
        cwd: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Start a process that calls the function.

        Args:
            function: A function of a module, which the process calls and then ends.
            arguments: Picklable arguments of the function.
            cwd: Working directory of the process.
            environment: Environment variables of the process, which has no others.
        """
        read_out, write_out = context.Pipe(duplex=False)
        read_err, write_err = context.Pipe(duplex=False)
        surroundings = {"cwd": str(cwd), "environment": dict(environment)}
        self._process = context.Process(
            target=_call,
            args=(function, arguments),
            kwargs=surroundings | {"out": write_out, "err": write_err},
        )
        self._process.start()
        write_out.close()
        write_err.close()
        self.stdout = os.fdopen(os.dup(read_out.fileno()))
        self.stderr = os.fdopen(os.dup(read_err.fileno()))
        read_out.close()
        read_err.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self._process.join()

    @property
    def pid(self) -> int:
        """Process ID, which is also that of the process group."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, -N after signal N; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Return the rest of both outputs; after `timeout` seconds the process group is killed."""
        late = threading.Timer(timeout, os.killpg, (self.pid, signal.SIGKILL))
        late.start()
        try:
            with ThreadPoolExecutor(2) as readers:
                out, err = readers.map(lambda stream: stream.read(), (self.stdout, self.stderr))
            self.wait()
        finally:
            late.cancel()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _call(
    function: Callable[..., object],
    arguments: tuple[Any, ...],
    *,
    cwd: str,
    environment: dict[str, str],
    out: Connection,
    err: Connection,
) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for stream, number in ((out, 1), (err, 2)):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    function(*arguments)
