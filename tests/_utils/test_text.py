"""Texts for people."""

import pytest

from relativenas_optuna._utils.text import number_of


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "epoch", "0 epochs"),
        (1, "epoch", "1 epoch"),
        (1, "pass", "1 pass"),
        (2, "pass", "2 passes"),
    ],
)
def test_a_noun_agrees_with_its_number(number: int, noun: str, text: str) -> None:
    assert number_of(number, noun) == text
