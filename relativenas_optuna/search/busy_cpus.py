"""Detect that other programs begin to slow down PyTorch's threads during a search."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import torch

from relativenas_optuna._utils.cores import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INTERVAL = 30.0  # seconds of one measurement
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
        f"{cpus} CPUs. Press Ctrl-C, and give the same command again with --threads 1: it goes on"
    )


@contextmanager
def slow_threads_reported(report: Callable[[str], None]) -> Iterator[None]:
    """Watch the CPUs during the block, and report other programs' load once.

    Args:
        report: Called at most once, from another thread, with the warning of `slow_threads`.
    """
    threads, ended = torch.get_num_threads(), threading.Event()

    def measure() -> None:
        before = _Reading.now()
        while not ended.wait(_INTERVAL):
            now = _Reading.now()
            others, before = before.others_until(now), now
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
        own = [every[number] for number in usable_cpus() if number < len(every)]
        busy = tuple(sum(getattr(cpu, name, 0.0) for name in _BUSY) for cpu in own)
        return cls(time.monotonic(), time.process_time(), busy)

    def others_until(self, later: _Reading) -> float:
        """Return how many CPUs other programs used until a later reading."""
        own = later.own - self.own
        every = sum(later.busy) - sum(self.busy)
        return max(0.0, every - own) / (later.clock - self.clock)
