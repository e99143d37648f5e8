"""Limit a training to a wall time: its place in the schedule, and a last epoch of fewer images."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relativenas_optuna.evaluation.standalone.images import AnyImages
    from relativenas_optuna.evaluation.standalone.result import Epoch

_RECENT = 3  # epochs, at least one of them with all images
_LEFT = 0.02  # share of the time that may be left over at the end


@dataclass
class TimeLimit:
    """The wall time that a training may take, and how much of it is used.

    The time counts from the first epoch on: training, validation, and the writing of files between
    two epochs. The time before an interruption counts, but not the pause after it.

    Attributes:
        seconds: Wall time of the whole training in seconds.
        epochs: Length of the learning rate schedule in epochs; the schedule ends with the time.
        validation_seconds: Seconds that the validation after an epoch took; 0 before the first.
    """

    seconds: float
    epochs: int
    validation_seconds: float = 0.0
    _since: float | None = None  # end of the epoch before
    _before: float = 0.0  # seconds of the finished epochs

    def begin_epoch(self, history: Sequence[Epoch]) -> None:
        """Add up the seconds of the finished epochs, and start the clock if it is not running."""
        self._before = _used(history)
        if self._since is None:
            self._since = perf_counter()

    def end_epoch(self) -> float:
        """Return the seconds since the end of the epoch before, or since the clock started."""
        seconds, self._since = self._of_epoch(), perf_counter()
        return seconds

    @property
    def place(self) -> float:
        """Place in the schedule in epochs, by the time that is used: 0 to `epochs`."""
        used = self._before + self._of_epoch()
        return self.epochs * min(1.0, used / self.seconds)

    def _of_epoch(self) -> float:
        return 0.0 if self._since is None else perf_counter() - self._since

    def is_over(self, history: Sequence[Epoch]) -> bool:
        """Return True if less than 2 % of the time is left after the epochs in `history`."""
        return _used(history) > (1 - _LEFT) * self.seconds

    def part(
        self, images: AnyImages, history: Sequence[Epoch], *, least: int, seed: int
    ) -> AnyImages:
        """Return the images of the next epoch: all, or a random part if the time is too short.

        Args:
            images: Images to train on.
            history: Finished epochs; at least the first one had all images.
            least: Least number of images, that of a batch.
            seed: Seed of the draw.
        """
        if not history:
            return images
        whole = max(epoch.seconds for epoch in history[-_RECENT:]) - self.validation_seconds
        left = self.seconds - _used(history) - self.validation_seconds
        if left >= whole:
            return images
        count = max(min(least, len(images)), int(len(images) * left / whole))
        order = torch.Generator().manual_seed(seed + len(history))
        return images.subset(torch.randperm(len(images), generator=order)[:count].tolist())


def _used(history: Sequence[Epoch]) -> float:
    return sum(epoch.seconds for epoch in history)
