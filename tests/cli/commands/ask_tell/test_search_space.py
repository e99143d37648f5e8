"""Search spaces as JSON: Optuna's own form is read, and a mistake is one line."""

from __future__ import annotations

import io
import json
import math
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from relativenas_optuna.cli.commands.ask_tell.search_space import read_space
from relativenas_optuna.exceptions import SpaceError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(str.isprintable)
WHOLE = st.integers(-(10**6), 10**6)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
PLAIN = st.none() | st.booleans() | WHOLE | st.floats() | st.text(st.characters(codec="utf-8"))


@st.composite
def distributions(draw: st.DrawFn) -> BaseDistribution:
    kind = draw(st.sampled_from([FloatDistribution, IntDistribution, CategoricalDistribution]))
    if kind is CategoricalDistribution:
        return CategoricalDistribution(draw(st.lists(PLAIN, min_size=1, max_size=4)))
    if kind is IntDistribution:
        low, count, step = draw(WHOLE), draw(st.integers(0, 99)), draw(st.integers(1, 9))
        if low > 0 and draw(st.booleans()):
            return IntDistribution(low, low + count, log=True)
        return IntDistribution(low, low + count * step, step=step)
    ends = sorted([draw(FINITE), draw(FINITE)])
    return FloatDistribution(ends[0], ends[1], log=ends[0] > 0 and draw(st.booleans()))


def written(space: dict[str, BaseDistribution]) -> str:
    return json.dumps({name: json.loads(distribution_to_json(d)) for name, d in space.items()})


@given(st.dictionaries(NAMES, distributions(), min_size=1, max_size=4))
def test_distributions_that_optuna_writes_are_read_in_their_order(
    space: dict[str, BaseDistribution],
) -> None:
    assert list(read_space(written(space)).items()) == list(space.items())


def test_a_file_standard_input_and_the_short_form_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space: dict[str, BaseDistribution] = {"ü": FloatDistribution(0, 1), "n": IntDistribution(1, 9)}
    short = '{"ü": {"type": "float", "low": 0, "high": 1}, "n": {"type": "int", "low": 1.0, '
    short += '"high": 9, "step": null}}'
    assert read_space(short) == space
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "space.json").write_bytes(mark + written(space).encode())
        assert read_space(str(tmp_path / "space.json")) == space
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(short.encode())))
    assert read_space("-") == space


def one(**attributes: object) -> str:
    return json.dumps({"x": {"type": "float"} | attributes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "must be JSON such as"),
        ("{}", "at least one parameter"),
        ("[1]", "must be a JSON object"),
        ("[" * 100_000, "nested too deep"),
        ('{"x": 1}', "parameter 'x' of the search space must be one of FloatDistribution"),
        ('{"x": {"name": "UniformDistribution", "attributes": {}}}', "must be one of"),
        ('{"x": {"name": ["FloatDistribution"]}}', "must be one of"),
        ('{"x": {"name": "FloatDistribution", "attributes": 1}}', "must be one of"),
        ('{"x": {"name": "FloatDistribution"}}', "missing 2 required"),
        ('{"x": {}, "x": {}}', "'x' is there twice"),
        ('{"x": {"type": "float", "low": 0, "low": 1, "high": 2}}', "'low' is there twice"),
        ('{"": {"type": "float", "low": 0, "high": 1}}', "name must be 1 to 512 printable"),
        ('{"\\ud800": {"type": "float", "low": 0, "high": 1}}', "printable"),
        (json.dumps({"x" * 513: {}}), "printable"),
        (one(low=math.nan, high=1), "finite number for low; got 'NaN'"),
        (one(low=0, high=math.inf), "finite number for high; got 'Infinity'"),
        (one(low=0, high=10**400), "finite number for high; got '1000000"),
        ('{"x": {"type": "int", "low": 0, "high": ' + "9" * 5000 + "}}", "4300 digits"),
        (one(low="0", high=1), "finite number for low; got '0'"),
        (one(low=True, high=1), "finite number for low; got 'true'"),
        (one(low=2, high=1), "`low <= high` must hold"),
        (one(low=0, high=1, step=0), "`step > 0` must hold"),
        (one(low=0, high=1, log=True), "`low > 0` must hold"),
        (one(low=1, high=2, log="no"), "true or false for log"),
        (one(low=1, high=2, more=3), "unexpected keyword argument 'more'"),
        (one(type="int", low=1.5, high=2), "whole number for low; got '1.5'"),
        (one(type="categorical", choices="abc"), "a list of strings, numbers"),
        (one(type="categorical", choices=[[1]]), "a list of strings, numbers"),
        (one(type="categorical", choices=[]), "one or more"),
    ],
)
def test_an_invalid_search_space_is_one_line(text: str, said: str) -> None:
    with pytest.raises(SpaceError) as caught:
        read_space(text)
    line = str(caught.value)
    assert said in line
    assert "\n" not in line
    assert len(line) < 300


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\xff\xfe", "must be JSON"), (b" " * 10_000_001, "at most 10 MB"), (b"", "must be JSON")],
)
def test_a_file_without_json_is_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "space.json").write_bytes(data)
    with pytest.raises(SpaceError, match=said):
        read_space(str(tmp_path / "space.json"))
    with pytest.raises(FileNotFoundError):
        read_space(str(tmp_path / "missing.json"))
