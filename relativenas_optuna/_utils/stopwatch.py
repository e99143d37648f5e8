"""Measure how long something stays unchanged, without comparing the clocks of two machines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Hashable

LONGEST_STEP = 30.0  # seconds


class Watch:
    """A stopwatch for each thing that this process observes; a new state restarts it.

    The time between two observations counts, but at most `longest_step` seconds of it. If this
    process was suspended for longer (a laptop's sleep, a paused container), it does not know what
    happened meanwhile, and the others may have been suspended too.

    Args:
        longest_step: Largest time that counts between two observations, in seconds; the default is
            30.
    """

    def __init__(self, longest_step: float = LONGEST_STEP) -> None:
        self._longest_step = longest_step
        self._seen: dict[Hashable, tuple[object, float]] = {}
        self._time = 0.0  # seconds of watching
        self._last_look = time.monotonic()

    def unchanged(self, what: Hashable, state: object) -> float:
        """Return the seconds since this process first saw `what` in this state.

        The result is 0 for a new state.

        Args:
            what: Key of the observed thing.
            state: Its current state, compared by `!=`.
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
