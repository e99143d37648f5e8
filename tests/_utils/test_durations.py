"""Durations in text are read, and shown so that they can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relativenas_optuna._utils.durations import seconds_in, short_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), ("600", 600), (" 2 M ", 120), (".5h", 1800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5m", "10 minutes", "m", "1d", "1e3", "nan", "9" * 400])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="time must be a duration such as 90s, 10m or"):
        seconds_in(text)


@given(st.floats(0.1, 1e7))
def test_a_shown_duration_is_at_least_the_real_one(seconds: float) -> None:
    assert seconds * (1 - 1e-8) <= seconds_in(short_time(seconds)) <= 1.1 * seconds + 1
