"""The search space of pairs of cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from relativenas_optuna.spaces.cell_descriptors import cell_descriptors
from relativenas_optuna.spaces.genotype import CELL_NAMES, Cell, Edge, Genotype
from relativenas_optuna.spaces.protocol import Suggests, read_choice, suggest

PAPER_OPERATIONS: tuple[str, ...] = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The operations of the paper, in its order (the order matters to the sampler's encoding)."""


@dataclass(frozen=True, kw_only=True)
class CellSpace:
    """The search space of two cells with a fixed number of nodes, edges and operations.

    The default is the space of the RelativeNAS paper. A node may read the same input twice, also
    through the same operation. The output of a cell is the concatenation of all its nodes.

    Attributes:
        nodes: Number of nodes of a cell, at least 1.
        operations: Names of the operations that an edge chooses from, all different.
        inputs: Number of edges of a node, at least 1.

    Example:
        >>> import optuna
        >>> space = CellSpace()
        >>> study = optuna.create_study()
        >>> genotype = space.suggest(study.ask())
        >>> space.contains(genotype)
        True
    """

    nodes: int = 4
    operations: tuple[str, ...] = PAPER_OPERATIONS
    inputs: int = 2

    def __post_init__(self) -> None:
        for name in ("nodes", "inputs"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        operations: object = self.operations
        if isinstance(operations, str) or not isinstance(operations, Sequence):
            raise TypeError(f"operations must be a tuple of names, got {operations!r}")
        # A list is taken too, but a frozen value must be hashable.
        object.__setattr__(self, "operations", tuple(self.operations))
        if not self.operations:
            raise ValueError("operations must hold at least one name, got none")
        for operation in self.operations:
            Edge(operation, 0)
        if len(set(self.operations)) != len(self.operations):
            raise ValueError(f"operations must not hold a name twice, got {self.operations}")

    @property
    def distributions(self) -> dict[str, CategoricalDistribution]:
        """Distributions in a new dict, in the paper's order: normal cell first, node by node.

        Each edge has two parameters, its input (a number) and then its operation (a name):
        ``normal.node2.input1``, ``normal.node2.op1``, ``normal.node2.input2``, and so on.
        """
        return {
            name: CategoricalDistribution(choices)
            for name_input, name_operation, number in self._edges()
            for name, choices in (
                (name_input, tuple(range(number))),
                (name_operation, self.operations),
            )
        }

    @property
    def cost_groups(self) -> tuple[tuple[str, ...], ...]:
        """Names of each edge's input and operation, which cost something together.

        A skip connection has weights only if it reads an input of a reduction cell.
        """
        return tuple((name_input, name_op) for name_input, name_op, _ in self._edges())

    @property
    def size(self) -> int:
        """Number of genotypes; two that differ only in the order of a node's edges both count."""
        per_cell: int = math.prod(
            (n * len(self.operations)) ** self.inputs for n in self._numbers()
        )
        return int(per_cell ** len(CELL_NAMES))

    def suggest(self, trial: Suggests) -> Genotype:
        """Let a trial choose a genotype: one `suggest_categorical` per variable."""
        return suggest(self, trial)

    def genotype(self, params: Mapping[str, Any]) -> Genotype:
        """Read a genotype from the parameters of a trial; parameters of other names are ignored.

        Raises:
            ValueError: A parameter is missing, or its value is not one of the choices.
        """
        edges = iter(
            [
                Edge(
                    read_choice(params, name_operation, self.operations),
                    read_choice(params, name_input, range(number)),
                )
                for name_input, name_operation, number in self._edges()
            ]
        )
        return Genotype(
            *(
                Cell(tuple(tuple(next(edges) for _ in range(self.inputs)) for _ in self._numbers()))
                for _ in CELL_NAMES
            )
        )

    def params(self, genotype: Genotype) -> dict[str, Any]:
        """Return the parameters of a genotype, for example for `study.enqueue_trial`.

        Raises:
            ValueError: The genotype is not in this space; the message says why.
            TypeError: `genotype` is not a `Genotype`.
        """
        if reason := self._why_not(genotype):
            raise ValueError(f"genotype is not in this space: {reason}")
        params: dict[str, Any] = {}
        edges = (*genotype.normal.edges, *genotype.reduce.edges)
        for edge, (name_input, name_operation, _) in zip(edges, self._edges(), strict=True):
            params[name_input] = edge.input
            params[name_operation] = edge.operation
        return params

    def descriptors(self, genotype: Genotype) -> dict[str, float]:
        """Return numbers that describe the two cells, see `cell_descriptors`."""
        return cell_descriptors(genotype, self.operations)

    def text(self, genotype: Genotype) -> str:
        """Return the two lines of `Genotype.to_text`."""
        return genotype.to_text()

    def parse(self, text: str) -> Genotype:
        """Read a genotype from its text.

        Raises:
            ValueError: The text is not a genotype, or the genotype is not in this space.
        """
        genotype = Genotype.from_text(text)
        self.params(genotype)
        return genotype

    def random(self, rng: np.random.Generator) -> Genotype:
        """Draw a genotype; all inputs and operations of an edge have the same probability."""
        return self.genotype(
            {
                name: distribution.choices[int(rng.integers(len(distribution.choices)))]
                for name, distribution in self.distributions.items()
            }
        )

    def most_likely(self, probabilities: Mapping[str, Mapping[Any, float]]) -> Genotype:
        """Return the architecture of the strongest edges by the probabilities of the parameters.

        An edge is as strong as the probability of its input times that of its most likely
        operation. The edges of a node read different inputs, if there are as many: those with the
        largest product of strengths, and in a tie the first ones.

        Args:
            probabilities: Probability of each value, by parameter; a parameter with a single value
                may be missing.
        """
        params: dict[str, Any] = {}
        for _, group in groupby(self._edges(), key=lambda edge: edge[0].rpartition(".")[0]):
            edges = list(group)
            chosen = self._strongest([probabilities[name] for name, _, _ in edges], edges[0][2])
            for (name_input, name_operation, _), number in zip(edges, chosen, strict=True):
                likely = probabilities.get(name_operation, dict.fromkeys(self.operations, 1.0))
                params[name_input] = number
                params[name_operation] = max(likely, key=likely.__getitem__)
        return self.genotype(params)

    def _strongest(
        self, probabilities: Sequence[Mapping[Any, float]], number: int
    ) -> tuple[int, ...]:
        """Return the most likely inputs of a node's edges, all different if there are as many.

        The operation of an edge is as likely with every input, so the inputs alone decide.
        """
        inputs = range(number)
        choices: Iterator[tuple[int, ...]] = permutations(inputs, self.inputs)
        if self.inputs > number:
            choices = product(inputs, repeat=self.inputs)
        return max(
            choices,
            key=lambda chosen: math.prod(
                likely[value] for likely, value in zip(probabilities, chosen, strict=True)
            ),
        )

    def contains(self, genotype: Genotype) -> bool:
        """Return True if the genotype has this space's nodes, edges and operations."""
        return self._why_not(genotype) is None

    def _numbers(self) -> range:
        """Return the numbers of the nodes; node ``n`` can read inputs 0 to ``n - 1``."""
        return range(2, self.nodes + 2)

    def _edges(self) -> Iterator[tuple[str, str, int]]:
        """Yield the names of each edge's two variables, and the number of inputs to choose from."""
        for cell in CELL_NAMES:
            for number in self._numbers():
                for position in range(1, self.inputs + 1):
                    prefix = f"{cell}.node{number}."
                    yield f"{prefix}input{position}", f"{prefix}op{position}", number

    def _why_not(self, genotype: Genotype) -> str | None:
        if not isinstance(genotype, Genotype):
            raise TypeError(f"genotype must be a Genotype, got {genotype!r}")
        for name, cell in zip(CELL_NAMES, (genotype.normal, genotype.reduce), strict=True):
            if len(cell.nodes) != self.nodes:
                return f"{name} has {len(cell.nodes)} node(s), the space {self.nodes}"
            for number, node in enumerate(cell.nodes, start=2):
                if len(node) != self.inputs:
                    return f"{name}.node{number} has {len(node)} edge(s), the space {self.inputs}"
            if not cell.concat_is_all:
                return f"{name} concatenates nodes {cell.concat}, the space all of them"
        unknown = genotype.operations - set(self.operations)
        if unknown:
            return f"it uses {', '.join(sorted(unknown))}, the space {', '.join(self.operations)}"
        return None
