"""Build Markdown in which names and values are escaped."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# All characters with a meaning in CommonMark and in its tables, links and autolinks.
_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_LONGEST = 200


def text(value: object) -> str:
    """Return a value as one line of escaped Markdown, cut to 200 characters before escaping."""
    words = " ".join(str(value).split())
    if len(words) > _LONGEST:
        words = f"{words[: _LONGEST - 1]}…"
    return "".join(html.escape(c) if c in "<>&\"'" else _SPECIAL.sub(r"\\\1", c) for c in words)


def table(rows: Mapping[str, str]) -> str:
    """Return a table of two columns, from the names and values in `rows`, which are Markdown."""
    lines = ["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


def wide_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a line of headings; all texts are escaped."""
    lines = [headings, *rows]
    shown = [f"| {' | '.join(map(text, line))} |" for line in lines]
    return "\n".join([shown[0], f"|{':--|' * len(headings)}", *shown[1:]])


def block(content: str, language: str = "") -> str:
    """Return lines as a code block with an optional language."""
    longest = max(map(len, re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def large(number: float) -> str:
    """Return a number as text, in millions or billions if it is large."""
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if number >= unit:
            return f"{number / unit:.3g} {word} ({number:,.0f})"
    return f"{number:,.0f}"
