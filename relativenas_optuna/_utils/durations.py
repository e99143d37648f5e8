"""Durations in text, such as "90s", "10m" or "1.5h"."""

from __future__ import annotations

import math
import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)\s*([smh]?)", re.ASCII)


def seconds_in(text: str) -> float:
    """Return the seconds of a duration such as "90s", "10m", "1.5h" or "600".

    Raises:
        ValueError: The text is no duration, or it is 0.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = 0.0 if found is None else float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"time must be a duration such as 90s, 10m or 1.5h, where a number alone is in "
            f"seconds; got {text!r}"
        )
    return seconds


def short_time(seconds: float) -> str:
    """Return a duration as `seconds_in` reads it, rounded up to two digits or so: "90s", "11m"."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= 10 * length:
            return f"{math.ceil(seconds / length - 1e-9)}{unit}"
    return f"{math.ceil(seconds - 1e-9)}s"
