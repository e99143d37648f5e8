from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relativenas_optuna.exceptions import SearchError
from relativenas_optuna.objective.settings import PRESETS
from relativenas_optuna.search.finals.settings import (
    PRESET_FINALS,
    FinalsSettings,
    requested_finals,
)

BAD: dict[str, list[Any]] = {
    "shortlist": [0, 1, 65, 8.0, True],
    "rungs": [0, 11],
    "keep": [0.0, 1.1, float("nan")],
    "passes": [0, 1.5],
    "cells": [0],
    "channels": [0],
    "pixels": [3],
    "batch_size": [1],
    "learning_rate": [-0.1, float("inf")],
    "target": ["large", "", None],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        FinalsSettings(**{name: value})


def test_every_field_has_values_that_are_refused() -> None:
    assert set(BAD) == set(FinalsSettings.__dataclass_fields__)


def test_every_preset_but_the_papers_has_finals() -> None:
    assert set(PRESET_FINALS) == set(PRESETS)
    assert [name for name, finals in PRESET_FINALS.items() if finals is None] == ["paper"]


def test_requests_change_the_settings() -> None:
    usual = FinalsSettings(cells=3)
    assert requested_finals("paper", usual, None, None) == usual
    assert requested_finals("paper", None, None, None) is None
    assert requested_finals("paper", usual, 0, None) is None
    assert requested_finals("paper", None, 4, None) == FinalsSettings(shortlist=4)
    digits = PRESET_FINALS["digits"]
    assert digits is not None
    assert requested_finals("digits", None, 4, None) == replace(digits, shortlist=4)
    assert requested_finals("paper", usual, 4, "full") == replace(usual, shortlist=4, target="full")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, 1, None), "finals must be the number of architectures in the finals, 2 to 48, or"),
        ((None, 65, None), "got 65"),
        ((None, None, "full"), "target 'full' needs finals.*--finals N"),
        ((FinalsSettings(), 0, "small"), "target 'small' needs finals"),
        ((FinalsSettings(), None, "huge"), "target must be one of small, full; got 'huge'"),
    ],
)
def test_wrong_requests_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        requested_finals("paper", *arguments)
