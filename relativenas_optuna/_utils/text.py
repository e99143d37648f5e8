"""Paths, names and time spans as a person reads them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

_MOST_SHOWN = 80  # characters of a value
_UNITS = {"days": 24 * 3600, "hours": 3600, "minutes": 60}


def shown_path(path: Path) -> str:
    """A path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def shown_name(name: str) -> str:
    """A study's name in a line: as it is, or in quotes where it could break the line."""
    return name if name.isprintable() and name == name.strip() else repr(name)


def duration(seconds: float) -> str:
    """A time span as people say it."""
    for unit, length in _UNITS.items():
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


def ago(time: datetime) -> str:
    """Return how long ago a time without a zone was, by this machine's clock."""
    return f"{duration(seconds_between(time, datetime.now()))} ago"


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds between two times of this machine, also where summer time begins or ends.

    0 where the clock of another machine, or one that was set, says that `later` was before.
    """
    return max(0.0, later.timestamp() - earlier.timestamp())


def shown_place(place: str) -> str:
    """A place of weights, as a person would type it here."""
    return place if "://" in place else shown_path(Path(place))


def brief(value: object) -> str:
    """Return a value as an error message shows it: its `repr`, cut to 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 3]}..."
