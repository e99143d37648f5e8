"""Too little memory ends a command in one line, before the work where that is known."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from relativenas_optuna._utils.memory import memory_left, shortage
from relativenas_optuna.cli.main import _message
from relativenas_optuna.networks.activations import activation_bytes
from relativenas_optuna.networks.meta_copy import meta_copy
from relativenas_optuna.search.memory import check_search_memory
from relativenas_optuna.training.data.dataset import images_of
from relativenas_optuna.training.data.load import DataError
from tests.helpers.tiny_search import SETTINGS


def test_torch_says_in_one_line_what_a_cpu_has_no_memory_for() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert _message(caught.value) == (
        "not enough memory: could not allocate 1,152,921,504,607 MB; smaller images (--size) or "
        "batches need less"
    )


def test_another_runtime_error_is_a_fault_of_the_program() -> None:
    assert _message(RuntimeError("shapes do not match")) is None


def test_the_memory_left_is_at_most_that_of_the_machine() -> None:
    machine = psutil.virtual_memory().total + psutil.swap_memory().total
    assert 0 < memory_left() < machine
    assert shortage(0) is None
    assert str(shortage(1e18)).startswith("at least 1,000,000,000.0 GB of memory")


def test_an_address_limit_counts() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, before[1]))
    try:
        left = memory_left()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert left <= 10**9


def test_activations_are_those_that_autograd_saves() -> None:
    # Of 3x4x4 floats: the first convolution saves its input, ReLU its output; the linear layer
    # saves its input, which is a view of the pooled 2 floats.
    network = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 5),
    )
    copy = meta_copy(network)
    floats = 3 * 16 + 2 * 16 + 2
    assert activation_bytes(copy, copy, (3, 4, 4)) == 4 * floats


def test_a_search_is_refused_where_no_candidate_fits() -> None:
    check_search_memory(SETTINGS, images=100, input_size=(3, 32, 32))
    with pytest.raises(DataError, match=r"^a training step of \d+ images of 100000x90000 needs at"):
        check_search_memory(SETTINGS, images=100, input_size=(3, 90_000, 100_000))


def test_images_that_fit_nowhere_are_refused_before_they_are_read() -> None:
    class Many:
        def __len__(self) -> int:
            return 10**12

        def __getitem__(self, index: int) -> tuple[object, int]:
            return np.zeros((100, 200), np.uint8), index % 2

    with pytest.raises(
        DataError, match=r"^1,000,000,000,000 images of 200x100 do not fit in memory"
    ):
        images_of(Many())
