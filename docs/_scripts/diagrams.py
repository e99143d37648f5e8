"""The diagram of ARCHITECTURE.md: its source, and its drawing, which holds a hash of the source."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

DIAGRAM = Path(__file__).parents[1] / "figures" / "parts.svg"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)


def diagram_in(markdown: str) -> str:
    """Return the source of the first diagram of a page."""
    found = BLOCK.search(markdown)
    assert found is not None
    return found[1]


def marked(svg: str, source: str) -> str:
    """Return a drawing with the mark of its source."""
    return f"{svg}\n{_mark(source)}\n"


def is_drawn(source: str) -> bool:
    """Return True if the drawing was made from this source."""
    return _mark(source) in DIAGRAM.read_text(encoding="utf-8")


def _mark(source: str) -> str:
    return f"<!-- source {hashlib.sha256(source.encode()).hexdigest()[:16]} -->"
