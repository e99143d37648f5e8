"""Measure how long things stay unchanged, without comparing the clocks of two machines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Hashable

LONGEST_STEP = 30.0  # seconds


class Watch:
    """Measures how long this process has seen things in the same state.

    Time is counted from one look to the next. A step counts at most 30 seconds by default: a
    process that stood still (a suspended laptop, a paused container) did not see what the others
    did meanwhile, and they may have stood still as well.

    Args:
        longest_step: Seconds that a step counts at most.
    """

    def __init__(self, longest_step: float = LONGEST_STEP) -> None:
        self._longest_step = longest_step
        self._seen: dict[Hashable, tuple[object, float]] = {}
        self._time = 0.0  # seconds of watching
        self._last_look = time.monotonic()

    def unchanged(self, what: Hashable, state: object) -> float:
        """Return the seconds since this process first saw `what` in this state.

        0 for a state that is seen for the first time.
        """
        now = time.monotonic()
        self._time += min(now - self._last_look, self._longest_step)
        self._last_look = now
        before, since = self._seen.get(what, (None, self._time))
        if what not in self._seen or before != state:
            self._seen[what] = state, self._time
            return 0.0
        return self._time - since

    def forget_others(self, kept: Container[Hashable]) -> None:
        """Forget all things but those in `kept`."""
        self._seen = {what: seen for what, seen in self._seen.items() if what in kept}
