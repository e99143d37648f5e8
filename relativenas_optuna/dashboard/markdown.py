"""Markdown in which names and values are escaped."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# All that CommonMark and its tables, links and autolinks give a meaning to.
_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_LONGEST = 200


def text(value: object) -> str:
    """Return text as one escaped line, at most 200 characters."""
    words = " ".join(str(value).split())
    if len(words) > _LONGEST:
        words = f"{words[: _LONGEST - 1]}…"
    return "".join(html.escape(c) if c in "<>&\"'" else _SPECIAL.sub(r"\\\1", c) for c in words)


def table(rows: Mapping[str, str]) -> str:
    """Return a table of two columns; `rows` are Markdown already."""
    lines = ["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


def block(content: str, language: str = "") -> str:
    """Return lines as a code block."""
    longest = max(map(len, re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def large(number: float) -> str:
    """Return a large number in millions or billions."""
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if number >= unit:
            return f"{number / unit:.3g} {word} ({number:,.0f})"
    return f"{number:,.0f}"
