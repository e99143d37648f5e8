"""The settings of screening."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relativenas_optuna.samplers.relative_nas.surrogate.settings import PLAIN, Screening


def test_screening_survives_json() -> None:
    for screening in (
        PLAIN,
        replace(
            PLAIN,
            draws=3,
            redraw_probability=0.5,
            latin_hypercube=False,
            max_scores=1,
            sparse_fits=False,
            models_pending=False,
        ),
    ):
        assert Screening(**screening.to_json()) == screening


@pytest.mark.parametrize(
    "wrong",
    [
        {"draws": 10**9},
        {"draws": 2.5},
        {"draws": "x"},
        {"redraw_probability": 2.0},
        {"max_scores": 0},
    ],
)
def test_screening_outside_its_ranges_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        Screening(**wrong)
