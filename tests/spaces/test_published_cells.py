from __future__ import annotations

import re

import pytest

from relativenas_optuna.spaces import PUBLISHED, CellSpace, published


@pytest.mark.parametrize("name", ["RelativeNAS", "DARTS_V1", "DARTS_V2", "MIGO-NAS-1"])
def test_cells_of_the_darts_space_are_in_the_papers_space(name: str) -> None:
    assert CellSpace().contains(published(name))


@pytest.mark.parametrize("name", ["NASNet_A", "AmoebaNet_A"])
def test_older_cells_have_five_nodes_and_need_more_operations(name: str) -> None:
    genotype = published(name)
    assert len(genotype.normal.nodes) == len(genotype.reduce.nodes) == 5
    assert "sep_conv_7x7" in genotype.operations
    assert len(genotype.reduce.concat) == 3


def test_the_published_normal_cell_of_relativenas_holds_a_twin() -> None:
    first, second = published("RelativeNAS").normal.nodes[1]
    assert first == second


def test_every_architecture_names_its_source() -> None:
    assert all(re.search("arXiv|doi", one.source) for one in PUBLISHED.values())


def test_an_unknown_name_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match=r"one of RelativeNAS, DARTS_V1.*got 'DARTS_V3'"):
        published("DARTS_V3")
