"""Parts of a command's help text."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: its examples."""
    return listed("Examples", *lines)


def listed(heading: str, *lines: str) -> str:
    """Return a paragraph that click leaves as it is: a heading and indented lines."""
    return "\n".join(["\b", f"{heading}:", *(f"  {line}" for line in lines)])


def paragraphs(*parts: str) -> str:
    """Join paragraphs of a help text."""
    return "\n\n".join(parts)
