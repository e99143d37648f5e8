"""A description of a trained network, and why something is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from relativenas_optuna.networks import NetworkDescription
from tests.helpers.networks import TWIN

DESCRIPTION = NetworkDescription(
    genotype=TWIN,
    dataset="cifar10",
    channels=2,
    cells=3,
    in_channels=1,
    classes=("Katze", "犬", "a" * 1000),
    auxiliary=True,
    mean=(0.1,),
    std=(1 / 3,),
    size=(8, 9),
    notes={"recipe": {"seed": 2**60, "loss": 1e-300}, "é": [None, True, []]},
)


def with_field(name: str, value: object) -> str:
    """Return the description as JSON, with one other field."""
    return json.dumps({**json.loads(DESCRIPTION.to_json()), name: value})


def refusal(call: Callable[[], object]) -> str:
    """Return the message of the `ValueError` that a call raises: one short line."""
    with pytest.raises(ValueError, match=r".") as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    return message
