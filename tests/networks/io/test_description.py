"""Descriptions of networks from elsewhere: what is out of range is refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relativenas_optuna.networks import NetworkDescription
from tests.helpers.networks import TWIN
from tests.helpers.trained_network import DESCRIPTION, refusal, with_field

GENOTYPE = json.loads(TWIN.to_json())
NODE = [["skip_connect", 0]]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("format", "relativenas network 2", "must have the format 'relativenas network 1'"),
        ("more", 1, "the description has an unknown field 'more'"),
        ("dataset", "mnist", "dataset must be one of cifar10, cifar100, imagenet, got 'mnist'"),
        ("dataset", ["cifar10"], "dataset must be one of"),
        ("channels", 4097, "channels must be a whole number from 1 to 4096, got 4097"),
        ("channels", 2.0, "channels must be a whole number"),
        ("channels", True, "channels must be a whole number"),
        ("channels", 10**400, "channels must be a whole number from 1 to 4096, got 1000"),
        ("cells", 257, "cells must be a whole number from 1 to 256, got 257"),
        ("in_channels", 0, "in_channels must be a whole number from 1 to 1024, got 0"),
        ("auxiliary", 1, "auxiliary must be true or false, got 1"),
        ("pool_norm", "on", "pool_norm must be true or false, got 'on'"),
        ("classes", [], "classes must be 1 to 100000 names, got ()"),
        ("classes", ["a"] * 100_001, "classes must be 1 to 100000 names, got ('a', 'a', "),
        ("classes", "abc", "classes must be a list, got 'abc'"),
        ("classes", ["a", "a"], "classes must all differ, 'a' is there twice"),
        ("classes", ["a", ""], "classes must be names of 1 to 1000 characters, got ''"),
        ("classes", ["a" * 1001], "classes must be names of 1 to 1000 characters"),
        ("classes", [["a"]], "classes must be names of 1 to 1000 characters, got ['a']"),
        ("classes", ["\x1b[2J"], "must be UTF-8 without control characters, got '\\x1b[2J'"),
        ("classes", ["a\nb"], "must be UTF-8 without control characters"),
        ("classes", ["\ud800"], "must be UTF-8 without control characters"),
        ("mean", [0.1, 0.2], "mean must be finite numbers, one for each of 1 channels"),
        ("mean", [True], "mean must be finite numbers"),
        ("mean", [1e19], "mean must be finite numbers"),
        ("mean", 3, "mean must be a list, got 3"),
        ("std", [0], "std must be finite numbers above 0"),
        ("std", [-1.0], "std must be finite numbers above 0"),
        ("size", [8], "size must be height and width, got (8,)"),
        ("size", [8, 8193], "size must be a whole number from 1 to 8192, got 8193"),
        ("notes", [], "notes must be an object, got []"),
        ("genotype", {}, "a genotype must be a JSON object with keys normal and reduce"),
        ("genotype", {**GENOTYPE, "reduce": {"nodes": [[["\x1b", 0]]]}}, "reduce: nodes must be"),
        ("genotype", {**GENOTYPE, "reduce": {"nodes": [[["x" * 10**6, 5]]]}}, "can read inputs 0"),
        ("genotype", {**GENOTYPE, "reduce": {"nodes": [[[["x"] * 10**5, 5]]]}}, "a string"),
        ("genotype", {**GENOTYPE, "reduce": {"nodes": [[["x", "y" * 10**6]]]}}, "whole number"),
        ("genotype", {**GENOTYPE, "normal": {"nodes": [NODE * 3000]}}, "at most 8192 edges in all"),
    ],
)  # fmt: skip
def test_a_description_out_of_range_is_refused_in_one_line(
    name: str, value: object, said: str
) -> None:
    assert said in refusal(lambda: NetworkDescription.from_json(with_field(name, value)))


@pytest.mark.parametrize("name", json.loads(DESCRIPTION.to_json()))
def test_a_field_that_is_missing_is_named(name: str) -> None:
    data = json.loads(DESCRIPTION.to_json())
    del data[name]
    line = refusal(lambda: NetworkDescription.from_json(json.dumps(data)))
    assert (f"lacks {name!r}" if name != "format" else "must have the format") in line


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a description must be valid JSON"),
        ("[]", "a description must be a JSON object, got []"),
        (DEEP, "a description must be valid JSON"),
        (with_field("mean", [0.0]).replace("[0.0]", "[NaN]"), "NaN is not in JSON"),
        (with_field("mean", [0.0]).replace("[0.0]", "[1e999]"), "mean must be finite numbers"),
        (with_field("notes", 0).replace(": 0}", ': {"x": 1e999}}'), "notes must be JSON"),
        (with_field("cells", 0).replace("0", "9" * 5000), "a description must be valid JSON"),
        (with_field("notes", 0).replace(": 0}", f": {DEEP}"), "a description must be valid JSON"),
        (" " * (32 * 1024**2 + 1), "a description has at most 33554432 characters"),
    ],
    ids=["empty", "list", "deep", "nan", "infinity", "notes", "digits", "deep notes", "long"],
)
def test_a_text_that_is_no_description_is_refused_in_one_line(text: str, said: str) -> None:
    assert said in refusal(lambda: NetworkDescription.from_json(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = sorted(set(json.loads(DESCRIPTION.to_json())) - {"format", "notes"})


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1))
def test_any_fields_are_refused_in_one_line_or_stand_for_a_network(fields: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(DESCRIPTION.to_json()), **fields})
    try:
        found = NetworkDescription.from_json(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - most are refused, not all
    else:
        assert NetworkDescription.from_json(found.to_json()) == found
