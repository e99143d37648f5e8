"""Read batches of items by a `DataLoader`, with random transforms that have keys."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


def read_batches(
    items: Dataset[Any],
    indices: list[list[int]],
    *,
    workers: int,
    device: torch.device,
    collate: Callable[[list[Any]], Any],
) -> Iterator[Any]:
    """Yield the items at each of `indices`, put together by `collate`, on the CPU.

    Args:
        items: Data set to read.
        indices: Indices of the items of each batch.
        workers: Processes that read ahead; 0 reads in this process.
        device: Device that the batches will be moved to; for a GPU the memory is pinned.
        collate: Function from a list of items to a batch.
    """
    yield from DataLoader(
        items,
        batch_sampler=indices,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=device.type == "cuda",
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # without it a loader draws from torch's global generator
    )


@contextmanager
def keyed_randomness(seed: int, index: int) -> Iterator[None]:
    """Seed torch's global CPU generator by (seed, index) in the block, and restore it afterwards.

    Args:
        seed: Seed of the epoch, 0 to 2**64 - 1.
        index: Index of the item, at least 0.
    """
    with torch.random.fork_rng(devices=[]):
        words = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)
        torch.default_generator.manual_seed(int(words[0]))
        yield


def _ignore_interrupts(_worker: int) -> None:
    # Ctrl-C reaches every process of the group, and the training process ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # see `read_files`
