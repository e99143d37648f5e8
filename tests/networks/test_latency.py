"""Latency tables: their file, which may come from anybody, and what they are refused for."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna.networks.latency import LatencyTable, NetworkLatency, OperationLatency
from relativenas_optuna.spaces import CellSpace, NASBench201
from relativenas_optuna.spaces.costs import AdditiveCost, CostTerm

SPACE = NASBench201()
MILLISECONDS = {"none": 0.0, "skip_connect": 0.25, "nor_conv_1x1": 1.5, "nor_conv_3x3": 4.0}
COST = AdditiveCost(
    2.0,
    tuple(
        CostTerm((name,), {(one,): MILLISECONDS.get(one, 1.0) for one in SPACE.operations})
        for name in SPACE.distributions
    ),
)
TABLE = LatencyTable(
    device="a device",
    device_type="cuda",
    threads=2,
    torch="2.6.0",
    precision="float32",
    space="nasbench201",
    channels=16,
    cells=17,
    num_classes=10,
    input_size=(3, 32, 32),
    batch_size=1,
    scale=1.5,
    rest=0.5,
    operations=(
        OperationLatency(
            name="nor_conv_3x3",
            input_shape=(1, 16, 32, 32),
            output_shape=(1, 16, 32, 32),
            milliseconds=0.5,
            spread=0.0,
        ),
    ),
    networks=(NetworkLatency(architecture="|none~0|\n|x|", measured=3.0, estimated=2.5),),
    mean_error=1 / 6,
    rank_correlation=None,
    cost=COST,
)
FITTING: dict[str, Any] = {
    "name": "nasbench201",
    "space": SPACE,
    "channels": 16,
    "cells": 17,
    "input_size": (3, 32, 32),
    "device": "a device",
}


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    for table in (TABLE, replace(TABLE, rank_correlation=0.75, networks=())):
        table.write(path)
        assert LatencyTable.read(path) == table
        assert [one.name for one in tmp_path.iterdir()] == ["table.json"]


def test_a_limit_holds_the_latency_of_an_architecture() -> None:
    limit = TABLE.at_most(5)
    params = dict.fromkeys(SPACE.distributions, "skip_connect") | {"edge3_0": "nor_conv_3x3"}
    assert limit.at_most == 5
    assert limit.of(params) == TABLE.cost.of(params) == 2 + 5 * 0.25 + 4
    with pytest.raises(ValueError, match="at_most must be a number above 0, got 0"):
        TABLE.at_most(0)


def test_a_table_of_the_same_space_size_and_device_is_accepted() -> None:
    TABLE.check(**FITTING)
    TABLE.check(**FITTING | {"device": None})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"device": "another"}, "is of device 'a device', and 'another' is needed"),
        ({"name": "cells"}, "is of space 'nasbench201', and 'cells' is needed"),
        ({"channels": 8}, "is of channels 16, and 8 is needed"),
        ({"cells": 5}, "is of cells 17, and 5 is needed"),
        ({"input_size": (1, 8, 8)}, "is of image size '3x32x32', and '1x8x8' is needed"),
        ({"space": CellSpace()}, "another space of the name 'nasbench201': .* edge1_0"),
    ],
)
def test_a_table_of_something_else_is_refused_in_one_line(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        TABLE.check(**FITTING | changed)
    assert "relativenas latency" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_lacks_a_choice_of_the_space_is_refused() -> None:
    few = CostTerm(("edge1_0",), {("none",): 0.0, ("skip_connect",): 1.0})
    table = replace(TABLE, cost=AdditiveCost(1.0, (few,)))
    with pytest.raises(ValueError, match="has other choices for edge1_0"):
        table.check(**FITTING)
    table.check(**FITTING | {"space": NASBench201(operations=("none", "skip_connect"))})


# --- files from elsewhere

DATA = TABLE.to_data()
OPERATION = DATA["operations"][0]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("format", "relativenas latency 2", "its format is not 'relativenas latency 1'"),
        ("more", 1, "it has an unknown field 'more'"),
        ("threads", 0, "threads must be a whole number from 1"),
        ("threads", True, "threads must be a whole number"),
        ("channels", 10**400, "channels must be a whole number from 1 to 4096; got 1000"),
        ("precision", "float8", "precision must be one of float32, bfloat16, float16"),
        ("device", "\x1b[2J", "texts must be printable"),
        ("space", "x" * 10_001, "texts must be printable, of at most 10000 characters"),
        ("space", None, "space must be text; got None"),
        ("input_size", [3, 32], "input_size must be channels, height and width"),
        ("input_size", [3, 32, 0], "input_size must be channels, height and width"),
        ("input_size", [3, 32, 32.5], "input_size must be a tuple, each item a whole number"),
        ("input_size", 3, "input_size must be a tuple"),
        ("scale", math.nan, "scale must be a number from 0"),
        ("rest", -1, "rest must be a number from 0"),
        ("rest", "1", "rest must be a number from 0"),
        ("mean_error", math.inf, "mean_error must be a finite number of at least 0; got inf"),
        ("rank_correlation", 1.5, "rank_correlation must be a number from -1 to 1"),
        ("operations", {}, "operations must be"),
        ("operations", [3], "operations must be a tuple, each item of type OperationLatency"),
        ("operations", [{**OPERATION, "spread": -1}], "spread must be a number from 0"),
        ("operations", [{**OPERATION, "name": "\n"}], "texts must be printable"),
        ("operations", [{**OPERATION, "odd": 1}], "odd"),
        ("operations", [{"name": "x"}], "missing .* required keyword-only arguments"),
        ("networks", [{"architecture": "\x1b", "measured": 1, "estimated": 1}], "printable"),
        ("cost", {}, "not an additive cost"),
        ("cost", {"constant": -1, "terms": []}, "constant must be a number from 0 to 1e"),
        ("cost", {"constant": 0, "terms": [{"parameters": [], "costs": [[[[]], 1]]}]}, "cost"),
    ],
)
def test_a_field_that_is_not_allowed_is_named_in_one_line(
    name: str, value: Any, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({**DATA, name: value}), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"table\.json' is no latency table .*{said}") as caught:
        LatencyTable.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", DATA)
def test_a_missing_field_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({key: one for key, one in DATA.items() if key != name}))
    with pytest.raises(ValueError, match=f"it lacks '{name}'|its format is not"):
        LatencyTable.read(path)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"[]", b"null", b"{}"])
def test_a_file_that_is_no_table_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no latency table of `relativenas latency`"):
        LatencyTable.read(path)


@given(
    st.sampled_from(sorted(DATA)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=3),
        max_leaves=8,
    ),
)
def test_any_other_value_is_read_or_refused(name: str, value: Any) -> None:
    try:
        table = LatencyTable.from_data(json.loads(json.dumps({**DATA, name: value})))
    except ValueError:
        return
    assert LatencyTable.from_data(table.to_data()) == table
