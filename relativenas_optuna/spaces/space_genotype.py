"""Architectures of any registered space, as text and as files."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from relativenas_optuna.spaces.genotype import BYTE_ORDER_MARK, Genotype
from relativenas_optuna.spaces.names import CELLS
from relativenas_optuna.spaces.registry import BUILT_IN, registered_space

_LONGEST = 10_000  # characters
_SPACE_LINE = "space:"


@dataclass(frozen=True)
class SpaceGenotype:
    """An architecture of a registered space other than "cells".

    It can be shown, stored and compared even if the module of the space is not loaded.

    Attributes:
        space: Name of the space; None if it is not known.
        text: Text of the architecture, at most 10,000 characters.

    Raises:
        ValueError: The text is empty, too long, or has characters that cannot be shown.
    """

    space: str | None
    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.space, str | None):
            raise TypeError(f"space must be the name of a space or None, got {self.space!r:.80}")
        text: object = self.text
        if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
            raise ValueError(
                f"an architecture must be text of 1 to {_LONGEST} characters, got {text!r:.80}"
            )
        if not all(line.isprintable() for line in text.split("\n")):
            raise ValueError(f"an architecture must be printable text, got {text!r:.80}")

    @property
    def cells(self) -> Genotype | None:
        """The pair of cells to draw; None if the text is not a pair of cells."""
        with suppress(ValueError):
            return Genotype.from_text(self.text)
        return None

    @property
    def value(self) -> Any:
        """The architecture as the value that the space and its networks work with.

        Raises:
            ValueError: The space is not registered in this process, or does not read the text.
        """
        if self.space is None:
            raise ValueError("the space of the architecture is not known: give --space")
        return registered_space(self.space).parse(self.text)

    def to_text(self) -> str:
        """Return the text without the name of the space."""
        return self.text

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> str:
        """Return one line of JSON with the name of the space; `genotype_from_json` reads it."""
        return json.dumps({"space": self.space, "genotype": self.text})


AnyGenotype: TypeAlias = Genotype | SpaceGenotype
"""An architecture of any space."""


def space_of(genotype: AnyGenotype) -> str | None:
    """Return the name of the space of an architecture; None if it is not known."""
    return CELLS if isinstance(genotype, Genotype) else genotype.space


def is_built_in(genotype: AnyGenotype) -> bool:
    """Return True for an architecture of a space of this package."""
    return space_of(genotype) in BUILT_IN


def cells_of(genotype: AnyGenotype) -> Genotype | None:
    """Return the pair of cells to draw; None if the architecture is not a pair of cells."""
    return genotype if isinstance(genotype, Genotype) else genotype.cells


def genotype_from_text(text: str, space: str | None) -> AnyGenotype:
    """Read an architecture from its text.

    Args:
        text: Text without the name of the space.
        space: Name of the space; None to try the built-in spaces.

    Raises:
        ValueError: `space` names a built-in space that does not have this architecture, or the
            text is empty, too long, or has characters that cannot be shown.
    """
    if space == CELLS:
        return Genotype.from_text(text)
    if space is None:
        for name in BUILT_IN:
            with suppress(ValueError):
                return genotype_from_text(text, name)
    elif space in BUILT_IN:
        BUILT_IN[space].parse(text)
    return SpaceGenotype(space, text)


def genotype_from_json(text: str) -> AnyGenotype:
    """Read an architecture of any space from its JSON form, see `to_json`.

    Raises:
        ValueError: The text is not the JSON form of an architecture; the message says why.
    """
    data: object = None
    with suppress(ValueError, RecursionError):
        data = json.loads(text.removeprefix(BYTE_ORDER_MARK))
    if isinstance(data, dict) and set(data) == {"space", "genotype"}:
        return _with_space(data["space"], data["genotype"])
    return Genotype.from_json(text)


def genotype_from_file(content: str, space: str | None = None) -> AnyGenotype:
    """Read an architecture from the content of a file, text or JSON.

    Args:
        content: Content of the file: a result of `file_text` or `to_json`, or the text of an
            architecture.
        space: Name of the space for a text that does not name its space; None for a pair of cells.

    Raises:
        ValueError: The content is not an architecture; the message says why.
    """
    content = content.removeprefix(BYTE_ORDER_MARK).strip()
    if content[:1] == "{":
        return genotype_from_json(content)
    first, _, rest = content.partition("\n")
    if first.startswith(_SPACE_LINE):
        return _with_space(first.removeprefix(_SPACE_LINE).strip(), rest)
    return genotype_from_text(content, space or CELLS)


def file_text(genotype: AnyGenotype) -> str:
    """Return the content of a text file for an architecture, with a line for its space."""
    if isinstance(genotype, Genotype) or genotype.space is None:
        return f"{genotype.to_text()}\n"
    return f"{_SPACE_LINE} {genotype.space}\n{genotype.text}\n"


def _with_space(space: object, text: object) -> AnyGenotype:
    if not isinstance(space, str | None) or not isinstance(text, str):
        raise ValueError(f"space and genotype must be texts, got {space!r:.80} and {text!r:.80}")
    return genotype_from_text(text.strip(), space)
