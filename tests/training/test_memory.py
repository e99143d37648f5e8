from __future__ import annotations

import gc
import platform
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from relativenas_optuna.objective.weight_set import WeightSet
from relativenas_optuna.training.memory import kept_memory
from tests.helpers.training.sharing import KIN, POOLS, TWIN, supernet, trained_in

PAGES = 8 * 2**20 // 4096


def faults_of_another_turn() -> int:
    """Return the page faults for tensors of 8 MB in memory that was freed just before."""
    resource = pytest.importorskip("resource")

    def turn() -> None:
        for _ in range(8):
            torch.zeros(PAGES * 1024)

    turn()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    turn()
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc")
def test_freed_memory_is_reused_without_the_system() -> None:
    with kept_memory():
        assert faults_of_another_turn() < PAGES


def test_an_error_is_raised_through_kept_memory() -> None:
    with pytest.raises(KeyError), kept_memory():
        raise KeyError


def live_tensors() -> Counter[tuple[int, ...]]:
    """The shapes of all tensors in the process; a traced graph has kinds of its own, of no size."""
    gc.collect()
    return Counter(
        tuple(found.shape) for found in gc.get_objects() if type(found) in (Tensor, nn.Parameter)
    )


@pytest.mark.slow
def test_a_candidate_leaves_no_tensors_but_shared_weights() -> None:
    weights = WeightSet(supernet())
    trained_in(weights, TWIN, 0)  # what is kept for good, as tables
    before = live_tensors()
    for genotype in (KIN, POOLS, TWIN, KIN):
        weights.commit(trained_in(weights, genotype, 0))
        # What other tests of this process left behind may go meanwhile.
        assert not live_tensors() - before
