"""Build parts of a command's help text."""

from __future__ import annotations

DATA_KINDS = (
    "Data set: digits, cifar10, cifar100, a folder with a sub-folder of images per class, hf:NAME "
    "of Hugging Face, or tar files such as 'shards-{000..003}.tar'"
)
"""Values of --data, for the help of an option."""


def examples(*lines: str) -> str:
    """Return the epilog of a command's help, which lists examples.

    Args:
        lines: Command lines, each with an optional remark.
    """
    return listed("Examples", *lines)


def listed(heading: str, *lines: str) -> str:
    """Return a heading and indented lines as a paragraph that Click does not wrap."""
    return "\n".join(["\b", f"{heading}:", *(f"  {line}" for line in lines)])


def paragraphs(*parts: str) -> str:
    """Return the paragraphs joined into one help text."""
    return "\n\n".join(parts)
