from __future__ import annotations

import platform

import pytest
import torch

from relativenas_optuna.training.memory import kept_memory

PAGES = 8 * 2**20 // 4096


def faults_of_another_turn() -> int:
    """Pages that the system hands out for tensors of 8 MB that were freed just before."""
    resource = pytest.importorskip("resource")

    def turn() -> None:
        for _ in range(8):
            torch.zeros(PAGES * 1024)

    turn()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    turn()
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc")
def test_what_was_freed_is_taken_again_without_the_system() -> None:
    with kept_memory():
        assert faults_of_another_turn() < PAGES


def test_an_error_comes_through() -> None:
    with pytest.raises(KeyError), kept_memory():
        raise KeyError
