"""Detect that other programs slow down PyTorch's threads."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INTERVAL = 10.0  # seconds of one measurement
_MEASUREMENTS = 5
_NOISE = 0.3  # CPUs that a quiet machine uses beside a search
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")  # as psutil names them


def slow_threads(*, threads: int, cpus: int, others: float) -> str | None:
    """Return a warning that other programs slow the search down; None if they do not.

    PyTorch's threads wait for each other at every operation. If another program uses the CPU of
    one thread, all threads become slow.

    Args:
        threads: Number of PyTorch's threads.
        cpus: Number of CPUs that this process may run on.
        others: Number of these CPUs that other programs use, averaged over some seconds.
    """
    if threads == 1 or others <= cpus - threads + _NOISE:
        return None
    return (
        f"slow: PyTorch's {threads} threads wait for other programs, which use {others:.1f} of "
        f"{cpus} CPUs. Press Ctrl-C, set OMP_NUM_THREADS=1 and give the same command again: it "
        f"goes on"
    )


@contextmanager
def slow_threads_reported(report: Callable[[str], None]) -> Iterator[None]:
    """Watch the CPUs for the first minute of the block, and report other programs' load once.

    Args:
        report: Called at most once, from another thread, with the warning of `slow_threads`.
    """
    threads, ended = torch.get_num_threads(), threading.Event()

    def measure() -> None:
        for _ in range(_MEASUREMENTS):
            before = _Reading.now()
            if ended.wait(_INTERVAL):
                return
            others = before.others_until(_Reading.now())
            line = slow_threads(threads=threads, cpus=len(before.busy), others=others)
            if line is not None:
                report(line)
                return

    watcher = threading.Thread(target=measure, daemon=True)
    if threads > 1:
        watcher.start()
    try:
        yield
    finally:
        ended.set()


@dataclass(frozen=True)
class _Reading:
    """A reading of the clock, this process's CPU time and its CPUs' busy times, in seconds."""

    clock: float
    own: float
    busy: tuple[float, ...]

    @classmethod
    def now(cls) -> _Reading:
        every = psutil.cpu_times(percpu=True)
        usable = _usable_cpus(len(every))
        busy = tuple(sum(getattr(every[n], name, 0.0) for name in _BUSY) for n in usable)
        return cls(time.monotonic(), time.process_time(), busy)

    def others_until(self, later: _Reading) -> float:
        """Return how many CPUs other programs used until a later reading."""
        own = later.own - self.own
        every = sum(later.busy) - sum(self.busy)
        return max(0.0, every - own) / (later.clock - self.clock)


def _usable_cpus(count: int) -> list[int]:
    """Return the numbers of the CPUs that this process may run on, of `count` CPUs."""
    if hasattr(os, "sched_getaffinity"):
        found = sorted(number for number in os.sched_getaffinity(0) if number < count)
        return found or list(range(count))
    return list(range(count))
