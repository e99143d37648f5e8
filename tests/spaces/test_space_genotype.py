"""Architectures of any space as text, as JSON and in files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relativenas_optuna.exceptions import SpaceError
from relativenas_optuna.spaces import CellSpace, Genotype, NASBench201, published
from relativenas_optuna.spaces.space_genotype import (
    AnyGenotype,
    SpaceGenotype,
    cells_of,
    file_text,
    genotype_from_file,
    genotype_from_json,
    genotype_from_text,
    is_built_in,
    space_of,
)

CELL = NASBench201().random(np.random.default_rng(0))
PAIR = published("DARTS_V1")
ALL: list[AnyGenotype] = [
    PAIR,
    SpaceGenotype("nasbench201", CELL.to_text()),
    SpaceGenotype("my_module:DEPTHS", "2"),
    SpaceGenotype("mine", "two\nlines"),
]


@pytest.mark.parametrize("genotype", ALL, ids=str)
def test_files_say_the_space_and_are_read_back(genotype: AnyGenotype) -> None:
    assert genotype_from_file(file_text(genotype)) == genotype
    assert genotype_from_file(f"\ufeff {genotype.to_json()}\n") == genotype
    assert genotype_from_json(genotype.to_json()) == genotype
    assert genotype_from_text(genotype.to_text(), space_of(genotype)) == genotype
    assert len(genotype.to_json().splitlines()) == 1


def test_the_files_of_a_pair_of_cells_do_not_name_a_space() -> None:
    assert file_text(PAIR) == f"{PAIR.to_text()}\n"
    assert set(json.loads(PAIR.to_json())) == {"normal", "reduce"}
    assert space_of(PAIR) == "cells"


def test_a_text_without_a_space_is_tried_as_each_built_in_one() -> None:
    assert genotype_from_text(PAIR.to_text(), None) == PAIR
    assert genotype_from_text(CELL.to_text(), None) == SpaceGenotype("nasbench201", CELL.to_text())
    assert genotype_from_text("anything", None) == SpaceGenotype(None, "anything")
    assert genotype_from_file(CELL.to_text(), "nasbench201") == ALL[1]
    with pytest.raises(ValueError, match="a genotype is two lines"):
        genotype_from_file(CELL.to_text())


def test_the_value_is_what_the_space_works_with() -> None:
    assert SpaceGenotype("nasbench201", CELL.to_text()).value == CELL
    with pytest.raises(SpaceError, match="'my_module:DEPTHS' is not loaded"):
        _ = SpaceGenotype("my_module:DEPTHS", "2").value
    with pytest.raises(ValueError, match="give --space"):
        _ = SpaceGenotype(None, "2").value


def test_cells_are_drawn_whichever_space_they_are_of() -> None:
    own = CellSpace(operations=("skip_connect",)).random(np.random.default_rng(0))
    assert cells_of(SpaceGenotype("my_module:CELLS", own.to_text())) == own
    assert cells_of(own) is own
    assert cells_of(ALL[1]) is None
    assert [is_built_in(genotype) for genotype in ALL] == [True, True, False, False]


@pytest.mark.parametrize("text", ["", " \n", "x" * 10_001, "a\x1b[2J", "a\x00", "\ud800", "a\rb"])
def test_what_cannot_be_shown_is_no_architecture(text: str) -> None:
    with pytest.raises(ValueError, match="an architecture must be"):
        SpaceGenotype("mine", text)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"space": 3, "genotype": "2"}',
        '{"space": "mine", "genotype": 2}',
        '{"space": "nasbench201", "genotype": "2"}',
        '{"space": "cells", "genotype": "2"}',
        '{"space": "mine"}',
        "space: nasbench201\n2",
        "space: mine",
    ],
)
def test_a_file_that_holds_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        genotype_from_file(text)


def test_a_pair_of_cells_named_by_its_space_is_a_genotype() -> None:
    named = json.dumps({"space": "cells", "genotype": PAIR.to_text()})
    assert isinstance(genotype_from_file(named), Genotype)
