from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.spaces import Cell, Edge, Genotype
from tests.helpers.space_strategies import genotypes

TEXT = "normal: node2 a(0) b(1) | node3 c(2)\nreduce: node2 a(1) | node3 b(0) c(2) | concat 3"
GENOTYPE = Genotype(
    Cell(((Edge("a", 0), Edge("b", 1)), (Edge("c", 2),))),
    Cell(((Edge("a", 1),), (Edge("b", 0), Edge("c", 2))), (3,)),
)


def test_text_is_two_readable_lines() -> None:
    assert GENOTYPE.to_text() == TEXT
    assert str(GENOTYPE) == TEXT


def test_json_is_plain_lists_and_objects() -> None:
    assert json.loads(GENOTYPE.to_json()) == {
        "normal": {"nodes": [[["a", 0], ["b", 1]], [["c", 2]]], "concat": [2, 3]},
        "reduce": {"nodes": [[["a", 1]], [["b", 0], ["c", 2]]], "concat": [3]},
    }


@given(genotypes)
def test_text_and_json_read_back_what_they_wrote(genotype: Genotype) -> None:
    assert Genotype.from_text(genotype.to_text()) == genotype
    assert Genotype.from_json(genotype.to_json()) == genotype


def test_text_may_be_laid_out_freely() -> None:
    spread = TEXT.replace(" ", "   ").replace("\n", "\n\n   ")
    assert Genotype.from_text(f"\n{spread}\n") == GENOTYPE


def test_concat_is_every_node_where_it_is_left_out() -> None:
    assert GENOTYPE.normal.concat == (2, 3)
    data = json.loads(GENOTYPE.to_json())
    del data["normal"]["concat"]
    assert Genotype.from_json(json.dumps(data)) == GENOTYPE


def test_genotypes_are_values() -> None:
    assert len({GENOTYPE, Genotype.from_text(TEXT)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        GENOTYPE.normal = GENOTYPE.reduce  # type: ignore[misc]


def test_operations_are_those_of_both_cells() -> None:
    assert GENOTYPE.operations == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "two lines"),
        ("normal: node2 a(0)", r"two lines.* got 1"),
        ("reduce: node2 a(0)\nnormal: node2 a(0)", "must start with 'normal:'"),
        ("x" * 10**6 + "\nreduce: node2 a(0)", "must start with 'normal:'"),
        ("normal: node2 a(0)\nreduce: node3 a(0)", "reduce: expected 'node2'"),
        ("normal: node2 a(0)\nreduce:", "reduce: expected 'node2'"),
        ("normal: node2 a(0) |\nreduce: node2 a(0)", "normal: expected 'node3'"),
        ("normal: node2 a(2)\nreduce: node2 a(0)", "normal: node2 can read inputs 0 to 1 only"),
        ("normal: node2 a(-1)\nreduce: node2 a(0)", r"operation\(input\)"),
        ("normal: node2 a\nreduce: node2 a(0)", r"operation\(input\)"),
        ("normal: node2\nreduce: node2 a(0)", "normal: node2 must have at least one edge"),
        ("normal: node2 a(0) | concat 3\nreduce: node2 a(0)", "normal: concat must be rising"),
        ("normal: concat 2\nreduce: node2 a(0)", "normal: nodes must hold at least one node"),
    ],
)
def test_bad_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Genotype.from_text(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


CELL: dict[str, Any] = {"nodes": [[["a", 0]]]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "keys normal and reduce"),
        ({"normal": CELL}, "keys normal and reduce"),
        ({"normal": CELL, "reduce": []}, "reduce must be a JSON object"),
        ({"normal": CELL, "reduce": {**CELL, "more": 1}}, "reduce must be a JSON object"),
        ({"normal": CELL, "reduce": {"nodes": 3}}, "reduce: nodes must be lists"),
        ({"normal": CELL, "reduce": {"nodes": []}}, "reduce: nodes must hold at least one"),
        ({"normal": {"nodes": [[["a"]]]}, "reduce": CELL}, "normal: nodes must be lists"),
        ({"normal": {"nodes": [[["a", 0.5]]]}, "reduce": CELL}, "input must be a whole number"),
        ({"normal": {"nodes": [[["a", True]]]}, "reduce": CELL}, "input must be a whole number"),
        ({"normal": {"nodes": [[["a b", 0]]]}, "reduce": CELL}, "letters, digits and underscores"),
        ({"normal": {"nodes": [[[7, 0]]]}, "reduce": CELL}, "operation must be a string"),
        ({"normal": {**CELL, "concat": []}, "reduce": CELL}, "concat must be a list"),
        ({"normal": {**CELL, "concat": [2, 2]}, "reduce": CELL}, "concat must be rising"),
        ({"normal": {**CELL, "concat": ["2"]}, "reduce": CELL}, "concat must be a whole number"),
    ],
)
def test_bad_json_is_refused_with_its_reason(data: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Genotype.from_json(json.dumps(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 10_000])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="valid JSON"):
        Genotype.from_json(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_but_never_crashes(text: str) -> None:
    for read in (Genotype.from_text, Genotype.from_json):
        with pytest.raises(ValueError, match="genotype"):
            read(text)


@pytest.mark.parametrize(
    ("nodes", "concat"),
    [([], ()), (([Edge("a", 0)],), ()), ((("a",),), ()), (((Edge("a", 0),),), [2])],
)
def test_a_cell_of_wrong_types_is_refused(nodes: Any, concat: Any) -> None:
    with pytest.raises(TypeError, match="must"):
        Cell(nodes, concat)


def test_a_genotype_of_wrong_types_is_refused() -> None:
    with pytest.raises(TypeError, match="reduce must be a Cell"):
        Genotype(GENOTYPE.normal, "node2 a(0)")  # type: ignore[arg-type]
