"""Format paths, names, values and time spans for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

_MOST_SHOWN = 80  # characters of a value
_UNITS = {"days": 24 * 3600, "hours": 3600, "minutes": 60}


def shown_path(path: Path) -> str:
    """Return a path for display, relative to the current folder if it is inside it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def shown_name(name: str) -> str:
    """Return a study's name for display, in quotes if it has unprintable signs or outer spaces."""
    return name if name.isprintable() and name == name.strip() else repr(name)


def duration(seconds: float) -> str:
    """Return a time span in words, such as "5 minutes"; `seconds` is its length."""
    for unit, length in _UNITS.items():
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


def number_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 epoch" or "12 epochs"."""
    if number != 1:
        noun += "es" if noun.endswith("s") else "s"
    return f"{number} {noun}"


def shown_figures(figures: Mapping[str, float]) -> str:
    """Return figures by name for display, such as "mIoU 0.7812, pixel accuracy 0.9534"."""
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def ago(time: datetime) -> str:
    """Return how long ago a local time was, such as "5 minutes ago"; the time has no zone."""
    return f"{duration(seconds_between(time, datetime.now()))} ago"


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds between two local times, correct across changes of summer time.

    The result is 0 if `later` is before `earlier`: another machine's clock may differ, or a clock
    may have been set.
    """
    return max(0.0, later.timestamp() - earlier.timestamp())


def shown_place(place: str) -> str:
    """Return a place of weights for display: a bucket's URL as it is, a folder as `shown_path`."""
    return place if "://" in place else shown_path(Path(place))


def brief(value: object) -> str:
    """Return a value as an error message shows it: its `repr`, cut to 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 3]}..."
