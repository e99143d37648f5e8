"""The cell space of NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from relativenas_optuna.spaces.nasbench201_canonical import nasbench201_representatives
from relativenas_optuna.spaces.nasbench201_descriptors import nasbench201_descriptors
from relativenas_optuna.spaces.protocol import read_choice

NASBENCH201_OPERATIONS: tuple[str, ...] = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)
"""The operations of the paper, in its order."""

EDGES: tuple[tuple[int, int], ...] = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(node, input) of the edges in the order of the published text; node 0 is the cell's input."""

_EDGE = re.compile(r"([A-Za-z0-9_]+)~([0-9])")


@dataclass(frozen=True)
class NASBench201Cell:
    """An architecture of NAS-Bench-201: one operation on each edge of a cell of four nodes.

    Attributes:
        operations: Names by edge, in the order of `EDGES`.

    Raises:
        ValueError: `operations` is not a tuple of six names from `NASBENCH201_OPERATIONS`.

    Example:
        >>> text = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|none~2|"
        >>> cell = NASBench201Cell.from_text(text)
        >>> cell.operations[2]
        'avg_pool_3x3'
        >>> cell.to_text() == text
        True
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        operations: object = self.operations
        if not isinstance(operations, tuple) or len(operations) != len(EDGES):
            raise ValueError(f"operations must be a tuple of {len(EDGES)}, got {operations!r}")
        _check_operations(operations)

    @property
    def edges(self) -> Iterator[tuple[int, int, str]]:
        """Yield (node, input, operation) of every edge, in the order of `EDGES`."""
        for (node, read), operation in zip(EDGES, self.operations, strict=True):
            yield node, read, operation

    def to_text(self) -> str:
        """Return the published form, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        nodes: dict[int, str] = {}
        for node, read, operation in self.edges:
            nodes[node] = nodes.get(node, "|") + f"{operation}~{read}|"
        return "+".join(nodes.values())

    def __str__(self) -> str:
        return self.to_text()

    @classmethod
    def from_text(cls, text: str) -> NASBench201Cell:
        """Read the published form.

        Raises:
            ValueError: The text is not of that form, or an operation is unknown.
        """
        operations: dict[tuple[int, int], str] = {}
        for node, part in enumerate(text.strip().split("+"), start=1):
            for word in part.strip().strip("|").split("|"):
                if match := _EDGE.fullmatch(word):
                    operations[node, int(match[2])] = match[1]
        cell = cls(tuple(operations.values())) if tuple(operations) == EDGES else None
        if cell is None or cell.to_text() != text.strip():
            raise ValueError(
                f"an architecture of NAS-Bench-201 is written "
                f"|op~0|+|op~0|op~1|+|op~0|op~1|op~2|, got {text[:120]!r}"
            )
        return cell


@dataclass(frozen=True, kw_only=True)
class NASBench201:
    """The search space of cells with one of `operations` on each of six edges.

    With the five operations of the paper it has 15,625 architectures.

    Attributes:
        operations: Operations that an edge chooses from, some of `NASBENCH201_OPERATIONS`.

    Raises:
        ValueError: `operations` is empty, or has an unknown or a repeated name.

    Example:
        >>> import optuna
        >>> space = NASBench201()
        >>> cell = space.parse("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
        >>> space.params(cell)["edge3_0"]
        'nor_conv_1x1'
    """

    operations: tuple[str, ...] = NASBENCH201_OPERATIONS

    def __post_init__(self) -> None:
        operations: object = self.operations
        if isinstance(operations, str) or not isinstance(operations, Sequence):
            raise ValueError(f"operations must be a tuple of names, got {operations!r}")
        # A list is taken too, but a frozen value must be hashable.
        object.__setattr__(self, "operations", tuple(self.operations))
        _check_operations(self.operations)
        if not self.operations or len(set(self.operations)) != len(self.operations):
            raise ValueError(
                f"operations must be at least one name and none twice, got {self.operations}"
            )

    @property
    def size(self) -> int:
        """Number of architectures."""
        return int(len(self.operations) ** len(EDGES))

    @property
    def distributions(self) -> dict[str, CategoricalDistribution]:
        """Distributions in a new dict, one for each edge; ``edge2_1`` is from node 1 to node 2."""
        return {name: CategoricalDistribution(self.operations) for name in _NAMES}

    @property
    def cost_groups(self) -> tuple[tuple[str, ...], ...]:
        """Names of the edges, of which each costs something by itself."""
        return tuple((name,) for name in _NAMES)

    def genotype(self, params: Mapping[str, Any]) -> NASBench201Cell:
        """Return the architecture of a trial's parameters; parameters of other names are ignored.

        Raises:
            ValueError: A parameter is missing, or its value is not one of the operations.
        """
        return NASBench201Cell(tuple(read_choice(params, name, self.operations) for name in _NAMES))

    def params(self, genotype: NASBench201Cell) -> dict[str, Any]:
        """Return the parameters of an architecture, the inverse of `genotype`.

        Raises:
            ValueError: The architecture has an operation that is not in this space.
            TypeError: `genotype` is not a `NASBench201Cell`.
        """
        if not isinstance(genotype, NASBench201Cell):
            raise TypeError(f"genotype must be a NASBench201Cell, got {genotype!r}")
        unknown = set(genotype.operations) - set(self.operations)
        if unknown:
            raise ValueError(
                f"genotype is not in this space: it uses {', '.join(sorted(unknown))}, the space "
                f"{', '.join(self.operations)}"
            )
        return dict(zip(_NAMES, genotype.operations, strict=True))

    def descriptors(self, genotype: NASBench201Cell) -> dict[str, float]:
        """Return numbers that describe what a cell computes, see `nasbench201_descriptors`."""
        return nasbench201_descriptors(list(genotype.edges))

    def canonical(self, genotype: NASBench201Cell) -> NASBench201Cell | None:
        """Return the representative of all cells that compute the same as this one.

        See `nasbench201_representatives`. It is None for a cell without a path to its output.

        Raises:
            ValueError: The architecture has an operation that is not in this space.
            TypeError: `genotype` is not a `NASBench201Cell`.
        """
        self.params(genotype)
        found = nasbench201_representatives(self.operations, EDGES)[genotype.operations]
        return None if found is None else NASBench201Cell(found)

    def text(self, genotype: NASBench201Cell) -> str:
        """Return the published form of an architecture."""
        return genotype.to_text()

    def parse(self, text: str) -> NASBench201Cell:
        """Read the published form.

        Raises:
            ValueError: The text is not of that form, or the architecture is not in this space.
        """
        genotype = NASBench201Cell.from_text(text)
        self.params(genotype)
        return genotype

    def random(self, rng: np.random.Generator) -> NASBench201Cell:
        """Draw an architecture uniformly, one draw of `rng` per edge."""
        drawn = rng.integers(len(self.operations), size=len(EDGES))
        return NASBench201Cell(tuple(self.operations[number] for number in drawn))


_NAMES = tuple(f"edge{node}_{read}" for node, read in EDGES)


def _check_operations(names: Sequence[object]) -> None:
    unknown = [name for name in names if name not in NASBENCH201_OPERATIONS]
    if unknown:
        raise ValueError(
            f"operations must be among {', '.join(NASBENCH201_OPERATIONS)}, got {unknown[0]!r}"
        )
