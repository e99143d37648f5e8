"""Architectures as frozen values, with a text form for people and a JSON form for programs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from relativenas_optuna._utils.lazy import lazy_method

BYTE_ORDER_MARK = "\ufeff"  # what editors on Windows put before a text
_NAME = re.compile(r"[A-Za-z0-9_]+")
_EDGE = re.compile(r"([A-Za-z0-9_]+)\(([0-9]{1,6})\)")
_CONCAT = re.compile(r"concat((?: [0-9]{1,6})+)")

CELL_NAMES = ("normal", "reduce")


@dataclass(frozen=True)
class Edge:
    """One input of a node, taken through one operation.

    Attributes:
        operation: Name of the operation, made of letters, digits and underscores.
        input: Number of the input: 0 and 1 are the two previous cells (0 the older one),
            ``i + 2`` is node ``i`` of the same cell.
    """

    operation: str
    input: int

    def __post_init__(self) -> None:
        if not isinstance(self.operation, str):
            raise TypeError(f"operation must be a string, got {_brief(self.operation)}")
        if not _NAME.fullmatch(self.operation):
            raise ValueError(
                "operation must be made of letters, digits and underscores, "
                f"got {_brief(self.operation)}"
            )
        _check_index("input", self.input)

    def __str__(self) -> str:
        return f"{self.operation}({self.input})"


@dataclass(frozen=True)
class Cell:
    """A directed acyclic graph of nodes; a node is the sum of its edges.

    Attributes:
        nodes: Edges of each node, in order. Node ``i`` (from 0) is input ``i + 2`` of later nodes.
        concat: Inputs that are concatenated along the channels to the output of the cell, in
            rising order. By default all nodes.
    """

    nodes: tuple[tuple[Edge, ...], ...]
    concat: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        nodes: object = self.nodes
        if not isinstance(nodes, tuple) or not all(isinstance(node, tuple) for node in nodes):
            raise TypeError(f"nodes must be a tuple of tuples of edges, got {nodes!r}")
        if not self.nodes:
            raise ValueError("nodes must hold at least one node, got none")
        for number, node in enumerate(self.nodes, start=2):
            if not node:
                raise ValueError(f"node{number} must have at least one edge, got none")
            for edge in node:
                if not isinstance(edge, Edge):
                    raise TypeError(f"node{number} must hold edges, got {edge!r}")
                if edge.input >= number:
                    raise ValueError(
                        f"node{number} can read inputs 0 to {number - 1} only, got "
                        f"{_shortened(str(edge))}"
                    )
        every_node = tuple(range(2, len(self.nodes) + 2))
        if not isinstance(self.concat, tuple):
            raise TypeError(f"concat must be a tuple of node numbers, got {self.concat!r}")
        for number in self.concat:
            _check_index("concat", number)
        if not set(self.concat) <= set(every_node) or list(self.concat) != sorted(set(self.concat)):
            raise ValueError(
                f"concat must be rising node numbers from 2 to {every_node[-1]}, got "
                f"{_brief(self.concat)}"
            )
        # The default cannot be written as a field default: it depends on the number of nodes.
        object.__setattr__(self, "concat", self.concat or every_node)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Edges of all nodes, node by node."""
        return tuple(edge for node in self.nodes for edge in node)

    @property
    def concat_is_all(self) -> bool:
        """True if every node is part of the output."""
        return len(self.concat) == len(self.nodes)

    def __str__(self) -> str:
        parts = [
            f"node{number} {' '.join(map(str, node))}"
            for number, node in enumerate(self.nodes, start=2)
        ]
        if not self.concat_is_all:
            parts.append(f"concat {' '.join(map(str, self.concat))}")
        return " | ".join(parts)


@dataclass(frozen=True)
class Genotype:
    """A whole architecture: the normal cell and the reduction cell. A notebook draws them.

    Example:
        >>> genotype = Genotype.from_text('''
        ...     normal: node2 sep_conv_3x3(0) skip_connect(1)
        ...     reduce: node2 max_pool_3x3(0) max_pool_3x3(1)
        ... ''')
        >>> genotype.normal.nodes[0][0]
        Edge(operation='sep_conv_3x3', input=0)
    """

    normal: Cell
    reduce: Cell

    _repr_svg_ = lazy_method("visualization._notebook", "genotype_svg")

    def __post_init__(self) -> None:
        for name in CELL_NAMES:
            if not isinstance(getattr(self, name), Cell):
                raise TypeError(f"{name} must be a Cell, got {getattr(self, name)!r}")

    @property
    def operations(self) -> frozenset[str]:
        """Names of all operations that occur."""
        return frozenset(e.operation for cell in (self.normal, self.reduce) for e in cell.edges)

    def to_text(self) -> str:
        """Return two lines, ``normal: ...`` and ``reduce: ...``, which `from_text` reads."""
        return f"normal: {self.normal}\nreduce: {self.reduce}"

    def __str__(self) -> str:
        return self.to_text()

    @classmethod
    def from_text(cls, text: str) -> Genotype:
        """Read the form that `to_text` writes; space around words and empty lines do not count.

        Raises:
            ValueError: The text is not a genotype; the message says where and why.
        """
        written = text.removeprefix(BYTE_ORDER_MARK).splitlines()
        lines = [" ".join(line.split()) for line in written if line.strip()]
        if len(lines) != 2:
            raise ValueError(
                "a genotype is two lines, 'normal: ...' and 'reduce: ...', "
                f"got {len(lines)} line(s) that are not empty"
            )
        cells = []
        for name, line in zip(CELL_NAMES, lines, strict=True):
            if not line.startswith(f"{name}:"):
                raise ValueError(f"a genotype's line must start with '{name}:', got {_brief(line)}")
            cells.append(_cell_from_text(name, line.removeprefix(f"{name}:")))
        return cls(*cells)

    def to_json(self) -> str:
        """Return one line of JSON, which `from_json` reads."""
        return json.dumps(
            {
                name: {
                    "nodes": [[[e.operation, e.input] for e in node] for node in cell.nodes],
                    "concat": list(cell.concat),
                }
                for name, cell in zip(CELL_NAMES, (self.normal, self.reduce), strict=True)
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Genotype:
        """Read the form that `to_json` writes; ``concat`` may be left out.

        Raises:
            ValueError: The text is not JSON, or not a genotype; the message says where and why.
        """
        try:
            data = json.loads(text.removeprefix(BYTE_ORDER_MARK))
        # RecursionError: a file from elsewhere may nest brackets without end.
        except (ValueError, RecursionError) as error:
            raise ValueError(f"a genotype must be valid JSON: {error}") from None
        if not isinstance(data, dict) or set(data) != set(CELL_NAMES):
            raise ValueError(
                f"a genotype must be a JSON object with keys normal and reduce, got {_brief(data)}"
            )
        return cls(*(_cell_from_data(name, data[name]) for name in CELL_NAMES))


def _check_index(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {_brief(value)}")
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {_brief(value)}")


def _cell_from_text(name: str, text: str) -> Cell:
    parts = [part.strip() for part in text.split("|")]
    concat: tuple[int, ...] = ()
    if match := _CONCAT.fullmatch(parts[-1]):
        concat = tuple(int(number) for number in match[1].split())
        parts.pop()
    nodes = []
    for number, part in enumerate(parts, start=2):
        label, *words = part.split() or [""]
        if label != f"node{number}":
            raise ValueError(f"{name}: expected 'node{number}' and its edges, got {_brief(part)}")
        edges = []
        for word in words:
            if not (match := _EDGE.fullmatch(word)):
                raise ValueError(
                    f"{name}: node{number}: an edge is written operation(input), "
                    f"for example sep_conv_3x3(0), got {_brief(word)}"
                )
            edges.append(Edge(match[1], int(match[2])))
        nodes.append(tuple(edges))
    return _cell(name, tuple(nodes), concat)


def _cell_from_data(name: str, data: Any) -> Cell:
    if not isinstance(data, dict) or not {"nodes"} <= set(data) <= {"nodes", "concat"}:
        raise ValueError(
            f"{name} must be a JSON object with keys nodes and concat, got {_brief(data)}"
        )
    concat = data.get("concat", [])
    if not isinstance(concat, list) or ("concat" in data and not concat):
        raise ValueError(f"{name}: concat must be a list of node numbers, got {_brief(concat)}")
    try:
        nodes = tuple(
            tuple(Edge(operation, number) for operation, number in node) for node in data["nodes"]
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: nodes must be lists of [operation, input] pairs: {error}"
        ) from None
    return _cell(name, nodes, tuple(concat))


def _cell(name: str, nodes: tuple[tuple[Edge, ...], ...], concat: tuple[int, ...]) -> Cell:
    """Build a cell; an error says which of the two it is."""
    try:
        return Cell(nodes, concat)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _brief(value: object) -> str:
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def node_lines(text: str) -> str:
    """Return the text of a genotype with one line for each node."""
    return text.replace(" | ", " |\n        ")
