"""How the batch of a step is cut into parts, and which of them a process trains on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class BatchParts:
    """The parts of every batch that one process trains on, one after another.

    A batch is cut in its order into `processes * accumulate` nearly equal parts. The gradient of a
    step is that of the mean loss over the whole batch, in whatever parts; batch norm sees a part.

    Args:
        processes: That train together.
        process: Which of them this is, from 0.
        accumulate: Parts that each of them takes of a batch.

    Raises:
        ValueError: A number is out of range.
    """

    processes: int = 1
    process: int = 0
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.accumulate < 1:
            raise ValueError(f"accumulate must be at least 1, got {self.accumulate}")
        if not 0 <= self.process < self.processes:
            raise ValueError(
                f"process must be in 0..{self.processes - 1} for {self.processes} processes, got "
                f"{self.process}"
            )

    @property
    def count(self) -> int:
        """Into how many parts all processes together cut a batch."""
        return self.processes * self.accumulate

    def own(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The bounds of this process's parts of the batch from `start` to `stop`."""
        first = self.process * self.accumulate
        bounds = [
            start + (stop - start) * part // self.count
            for part in range(first, first + self.accumulate + 1)
        ]
        return list(pairwise(bounds))

    def batches(self, count: int, batch_size: int) -> list[tuple[int, int]]:
        """The bounds of the batches of an epoch.

        What is left over for the last batch joins the one before where it would leave a part
        with less than 2 of the `count` images, on which batch norm cannot train.
        """
        return list(self._batches(count, batch_size))

    def _batches(self, count: int, batch_size: int) -> Iterator[tuple[int, int]]:
        start = 0
        while start < count:
            stop = start + batch_size
            if stop > count - 2 * self.count:
                stop = count
            yield start, stop
            start = stop


WHOLE_BATCH = BatchParts()
"""All of every batch, at once."""
