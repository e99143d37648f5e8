"""Too little memory ends a command in one line."""

from __future__ import annotations

import pytest
import torch

from relativenas_optuna.cli import _message


def test_torch_says_in_one_line_what_a_cpu_has_no_memory_for() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert _message(caught.value) == (
        "not enough memory: could not allocate 1,152,921,504,607 MB; smaller images (--size) or "
        "batches need less"
    )


def test_another_runtime_error_is_a_fault_of_the_program() -> None:
    assert _message(RuntimeError("shapes do not match")) is None
