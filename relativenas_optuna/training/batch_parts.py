"""Parts into which a batch is cut, and the parts that each process trains on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class BatchParts:
    """The parts of every batch that one process trains on, one after another.

    A batch is cut in order into `processes * accumulate` parts of nearly equal size. The gradient
    of a step is that of the mean loss over the whole batch; batch norm sees one part at a time.

    Args:
        processes: Number of processes that train together.
        process: Number of this process, from 0.
        accumulate: Number of parts of a batch that each process takes.

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
        """Number of parts of a batch, over all processes."""
        return self.processes * self.accumulate

    def own(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the bounds of this process's parts of the batch from `start` to `stop`."""
        first = self.process * self.accumulate
        bounds = [
            start + (stop - start) * part // self.count
            for part in range(first, first + self.accumulate + 1)
        ]
        return list(pairwise(bounds))

    def batches(self, count: int, batch_size: int) -> list[tuple[int, int]]:
        """Return the bounds of the batches of an epoch of `count` images.

        A last batch that would have fewer than 2 images in a part joins the batch before it,
        since batch norm cannot train on one image.
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
"""One process that trains on every batch as a whole."""
