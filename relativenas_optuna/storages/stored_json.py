"""Reader of JSON texts from a database to which anybody may have written."""

from __future__ import annotations

import json
from typing import Any

# Exceptions that reading a field of unexpected data may raise.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_DEEPEST = 200  # levels that a copy of the data takes without an end to Python's stack


def read_json(text: object) -> Any:
    """Return the data of a JSON text.

    Raises:
        ValueError: The text is not JSON, is nested in more than 200 levels, or holds a whole number
            with more digits than Python converts.
    """
    if isinstance(text, bytes):  # SQLite stores what it is given
        text = text.decode()
    if not isinstance(text, str):
        raise ValueError("there is no text")
    try:
        data = json.loads(text)
    except RecursionError:
        data, deep = None, True
    else:
        # Counted first, since few texts have that many brackets.
        deep = text.count("[") + text.count("{") > _DEEPEST and _is_deep(data)
    if deep:
        raise ValueError(f"it is nested in more than {_DEEPEST} levels")
    return data


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
