from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from relativenas_optuna._utils.checked_fields import Count, Finite, Range, check_fields, from_data
from relativenas_optuna._utils.json_data import plain
from relativenas_optuna.spaces.genotype import Genotype

GENOTYPE = Genotype.from_text("normal: node2 skip(0)\nreduce: node2 skip(1)")


@dataclass(frozen=True, kw_only=True)
class Inner:
    loss: float
    genotype: Genotype


@dataclass(frozen=True, kw_only=True)
class Outer:
    number: Annotated[int, Range(1, 9)] = 1
    rate: Annotated[float, Range(0)] = 0.5
    score: Finite = 0.0
    mode: Annotated[str, ("fast", "slow")] = "fast"
    on: bool = False
    limit: Count | None = None
    several: tuple[Inner, ...] = ()


GOOD = Outer(
    number=2, rate=1, limit=0, several=(Inner(loss=math.nan, genotype=GENOTYPE),), mode="slow"
)


def test_objects_come_back_from_json_as_they_were() -> None:
    for good in (Outer(), GOOD):
        check_fields(good)
        read = from_data(Outer, json.loads(json.dumps(plain(good), allow_nan=False)))
        assert repr(read) == repr(good)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("number", 0, "a whole number from 1 to 9; got 0"),
        ("number", 10**400, "a whole number from 1 to 9; got 1000"),
        ("number", True, "a whole number from 1 to 9; got True"),
        ("number", 2.0, "a whole number from 1 to 9; got 2.0"),
        ("number", None, "a whole number from 1 to 9; got None"),
        ("rate", math.inf, "a finite number of at least 0; got inf"),
        ("rate", math.nan, "a finite number of at least 0; got nan"),
        ("rate", 10**400, "a finite number of at least 0; got 1000"),
        ("score", -math.inf, "a finite number; got -inf"),
        ("score", "1", "a finite number; got '1'"),
        ("mode", "medium", "one of fast, slow; got 'medium'"),
        ("mode", ["fast"], r"one of fast, slow; got \['fast'\]"),
        ("on", 1, "true or false; got 1"),
        ("limit", -1, "a whole number of at least 0; got -1"),
        ("several", [], r"a tuple, each item of type Inner; got \[\]"),
        ("several", (1,), r"a tuple, each item of type Inner; got \(1,\)"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_rule(name: str, value: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be {rule}"):
        check_fields(Outer(**{name: value}))


@pytest.mark.parametrize(
    "data",
    [None, 3, [], {"unknown": 1}, {"number": 0}, {"several": [{"loss": 1}]}, {"several": [3]}],
    ids=str,
)
def test_data_that_is_something_else_is_refused(data: object) -> None:
    with pytest.raises((AttributeError, LookupError, TypeError, ValueError)):
        from_data(Outer, data)
