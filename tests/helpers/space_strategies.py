"""Hypothesis strategies for genotypes and spaces."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from relativenas_optuna.spaces import Cell, CellSpace, Edge, Genotype

names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    nodes = tuple(
        tuple(
            draw(
                st.lists(st.builds(Edge, names, st.integers(0, number - 1)), min_size=1, max_size=3)
            )
        )
        for number in range(2, draw(st.integers(3, 8)))
    )
    concat = draw(st.sets(st.integers(2, len(nodes) + 1), min_size=1))
    return Cell(nodes, tuple(sorted(concat)))


genotypes = st.builds(Genotype, cells(), cells())

spaces = st.builds(
    CellSpace,
    nodes=st.integers(1, 5),
    operations=st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    inputs=st.integers(1, 3),
)
