"""Choose the number of PyTorch's CPU threads by timing a step of the training."""

from __future__ import annotations

import math
import os
import statistics
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from relativenas_optuna._utils.cores import available_cores
from relativenas_optuna.training.step_time import images_of_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn

VARIABLE = "OMP_NUM_THREADS"
"""Environment variable with the number of threads that the user wants."""

_STEP = 0.5  # seconds of a timed step with one thread
_ROUNDS = range(3, 9)  # timed steps of each number of threads
_SECONDS = 1.0  # after which only the least number of steps is timed
_HOPELESS = 2.0  # times as long as the best number: more threads are not tried
_GAIN = 1.15  # times as fast as with fewer threads: worth more threads
_OTHER_BITS = "; the last digits of scores can differ"


@dataclass(frozen=True)
class ThreadChoice:
    """A chosen number of threads, and the measurement behind it.

    Attributes:
        threads: Chosen number of threads.
        cores: Largest number of threads that was allowed.
        seconds: Median duration of a step in seconds, by number of threads; infinity for steps that
            were ended early; empty if there was no choice.
    """

    threads: int
    cores: int
    seconds: Mapping[int, float]

    def __str__(self) -> str:
        chosen = f"threads: {self.threads} of {self.cores} core{'s' if self.cores > 1 else ''}"
        others = sorted(self.seconds.keys() - {self.threads})
        if not others:
            return chosen
        # The next larger number, or the next smaller one if the largest was chosen.
        other = next((n for n in others if n > self.threads), others[-1])
        ratio = self.seconds[other] / self.seconds[self.threads]
        times = f"more than {2 * _HOPELESS:.0f}" if math.isinf(ratio) else f"{ratio:.1f}"
        return f"{chosen} ({other} would take {times} times as long)"


def seconds_of(step: Callable[[], object], threads: int) -> float:
    """Return how long a step takes with a number of threads, in seconds.

    The first step with a new number of threads takes longer than the following ones. Afterwards
    PyTorch's number of threads is restored.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        start = perf_counter()
        step()
        return perf_counter() - start
    finally:
        torch.set_num_threads(before)


class _TooLong(Exception):
    """Exception raised in a step that takes too long."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_TooLong` if a module of torch is called in the block after so many seconds.

    On busy cores a step with several threads can take a minute.
    """
    end, caller = perf_counter() + seconds, get_ident()

    def check(module: nn.Module, arguments: object) -> None:
        if perf_counter() > end and get_ident() == caller:
            raise _TooLong

    with register_module_forward_pre_hook(check):
        yield


def choose_threads(
    step: Callable[[int], object], images: int, *, most: int | None = None
) -> ThreadChoice:
    """Time a training step with 1, 2, 4, ... threads, and set PyTorch's number of threads.

    Threads of PyTorch wait for each other at every operation. If other programs use the cores too,
    two threads can be ten times slower than one. More threads are chosen only if they are at
    least 1.15 times as fast. The measurement takes one to four seconds, or more if 8 images take
    long. It does not change PyTorch's global random state.

    Args:
        step: Function that trains for one step on a number of images. It leaves the weights of
            the training as they are, or trains a copy.
        images: Number of images in a step of the training; fewer are timed if they take long.
        most: Largest number of threads, at least 1; None for the cores that this process may use.

    Returns:
        The choice, whose number of threads is set.
    """
    most = available_cores() if most is None else most
    before = torch.get_num_threads()
    times: dict[int, list[float]] = {}
    try:
        if most > 1:
            with torch.random.fork_rng(devices=[]):
                count = images_of_step(
                    lambda count: seconds_of(lambda: step(count), 1), images, seconds=_STEP
                )
                times = _measured(lambda: step(count), _counts(most))
    except BaseException:
        torch.set_num_threads(before)
        raise
    seconds = {n: statistics.median(found) for n, found in times.items()}
    chosen = ThreadChoice(fewest_fast(seconds) if seconds else 1, most, seconds)
    torch.set_num_threads(chosen.threads)
    return chosen


def _counts(most: int) -> list[int]:
    """Return the numbers of threads to try: the powers of two below `most`, and `most`."""
    return [*(2**power for power in range((most - 1).bit_length())), most]


def _measured(step: Callable[[], object], counts: list[int]) -> dict[int, list[float]]:
    """Return the durations of steps in seconds, by number of threads.

    The numbers take turns, so that other programs disturb all of them equally.
    """
    times: dict[int, list[float]] = {}
    for threads in counts:
        best = min((min(found) for found in times.values()), default=math.inf)
        first = _timed(step, threads, 2 * _HOPELESS * best)  # longer than the following ones
        last = first if math.isinf(first) else _timed(step, threads, 2 * _HOPELESS * best)
        times[threads] = [last]
        if times[threads][0] > _HOPELESS * best:
            break
    best = min(min(found) for found in times.values())
    contenders = [found for found in times.items() if found[1][0] <= _HOPELESS * best]
    end = perf_counter() + _SECONDS
    for number in range(1, _ROUNDS.stop if len(contenders) > 1 else 1):
        if number >= _ROUNDS.start and perf_counter() > end:
            break
        for threads, found in contenders:
            found.append(_timed(step, threads, 2 * _HOPELESS * best))
    return times


def _timed(step: Callable[[], object], threads: int, limit: float) -> float:
    """Return the seconds of a step; infinity if it was ended after `limit` seconds."""
    try:
        with _limited(limit):
            return seconds_of(step, threads)
    except _TooLong:
        return math.inf


def fewest_fast(seconds: Mapping[int, float]) -> int:
    """Return the smallest number of threads that no larger number clearly beats.

    Args:
        seconds: Duration of a step by number of threads.
    """
    chosen = min(seconds)
    for threads in sorted(seconds):
        if seconds[threads] * _GAIN <= seconds[chosen]:
            chosen = threads
    return chosen


@dataclass(frozen=True)
class SetThreads:
    """The number of threads that was set, and why.

    Attributes:
        threads: Number of threads.
        line: One line for people.
        records: True if a repeated run should take this number.
    """

    threads: int
    line: str
    records: bool


def set_threads(
    *,
    given: int | None,
    recorded: int | None,
    most: int,
    measure: Callable[[], ThreadChoice],
) -> SetThreads:
    """Set PyTorch's number of threads: the given one, the recorded one, or the fastest one.

    The last digits of sums depend on the number of threads. A run that is continued therefore
    takes the recorded number.

    Args:
        given: Number that the user asked for; None takes that of the environment variable
            OMP_NUM_THREADS, if it is set.
        recorded: Number with which the run was started; None at its start.
        most: Cores that this process may use.
        measure: Function that chooses and sets a number, see `choose_threads`.
    """
    if given is None and not os.environ.get(VARIABLE):
        if recorded is None:
            choice = measure()
            return SetThreads(choice.threads, str(choice), records=True)
        threads = min(recorded, most)
        torch.set_num_threads(threads)
        line = f"threads: {threads} of {most} core{'s' if most > 1 else ''}, "
        line += "as before" if threads == recorded else f"{recorded} before{_OTHER_BITS}"
        return SetThreads(threads, line, records=False)
    if given is not None:
        torch.set_num_threads(given)
    threads = torch.get_num_threads()
    line = f"threads: {threads}, by {VARIABLE if given is None else '--threads'}"
    if recorded not in (None, threads):
        line += f", {recorded} before{_OTHER_BITS}"
    return SetThreads(threads, line, records=threads != recorded)
