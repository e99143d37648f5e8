"""An extension of Griffe for the project's docstrings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADING = re.compile(r"^Example:$", re.MULTILINE)


class SingleExamples(griffe.Extension):
    """Read a section `Example:` as Griffe reads `Examples:`, so that it is shown as code."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rename the sections of all docstrings of the package."""
        for docstring in _docstrings(pkg):
            docstring.value = _HEADING.sub("Examples:", docstring.value)


def _docstrings(one: griffe.Object) -> Iterator[griffe.Docstring]:
    if one.docstring is not None:
        yield one.docstring
    for member in one.members.values():
        if not isinstance(member, griffe.Alias):
            yield from _docstrings(member)
