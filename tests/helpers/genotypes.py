"""Architectures to draw: any number of nodes, edges and outputs, names of any kind."""

from hypothesis import strategies as st

from relativenas_optuna.spaces.cell_space import PAPER_OPERATIONS
from relativenas_optuna.spaces.genotype import Cell, Edge, Genotype

OPERATIONS = st.sampled_from([*PAPER_OPERATIONS, "conv_7x1_1x7", "an_operation_of_ours"])


@st.composite
def cells(draw: st.DrawFn, *, most_nodes: int = 5, most_edges: int = 3) -> Cell:
    last = draw(st.integers(2, most_nodes + 1))
    nodes = tuple(
        tuple(
            Edge(draw(OPERATIONS), draw(st.integers(0, number - 1)))
            for _ in range(draw(st.integers(1, most_edges)))
        )
        for number in range(2, last + 1)
    )
    concat = draw(st.sets(st.integers(2, last), min_size=1))
    return Cell(nodes, tuple(sorted(concat)))


def genotypes() -> st.SearchStrategy[Genotype]:
    return st.builds(Genotype, cells(most_edges=2), cells(most_nodes=4))
