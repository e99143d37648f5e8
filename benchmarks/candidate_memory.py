"""Measure the memory that candidates keep, and the most that one needs.

Usage: python benchmarks/candidate_memory.py [CANDIDATES]   (200 unless given)

What stays: random architectures, 32 + 32 images of 32 pixels, 4 channels, 5 cells, each
committed. "Tensors" are all that live between two candidates, "resident" is the process as the
system sees it.

At most: see `candidate_peak.py`; 192 + 192 images, batches of 64, the genotypes of
`candidate.py`. "Needed" is the supernet, gradients and momentum of one sub-network, the data, and
the activations of one batch, which are what the bare passes of the stand-alone network take over
its weights, gradients, momentum and data.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

import numpy as np
import psutil
import rich
import torch
from candidate_peak import MEGABYTE, WAYS, apart
from candidate_work import SIZES, SPACE, noise
from rich.table import Table
from torch import Tensor

from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.settings import preset
from relativenas_optuna.samplers.seats.claims import Seat


def live_tensors() -> tuple[int, float]:
    """Number of tensors in the process, and megabytes of what they hold."""
    gc.collect()
    tensors = [found for found in gc.get_objects() if issubclass(type(found), Tensor)]
    storages = [tensor.untyped_storage() for tensor in tensors]
    held = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return len(tensors), sum(held.values()) / MEGABYTE


def main(candidates: int) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    settings = replace(preset("small"), uniform_epochs=0, channels=4, batch_size=16)
    data = noise(32, 0), noise(32, 1)
    trainer = CandidateTrainer(SPACE, *data, settings=settings, seed=0)
    genotypes = [SPACE.random(np.random.default_rng(n)) for n in range(candidates)]
    process = psutil.Process()
    table = Table("candidates", "resident, MB", "tensors", "in them, MB", title="after candidates")
    shown = {10, 20, 50, 100, 150, candidates}
    for number, genotype in enumerate(genotypes, start=1):
        trainer.weights.commit(trainer.train(genotype, Seat(0, number % 20)).trained)
        if number in shown:
            count, held = live_tensors()
            resident = process.memory_info().rss / MEGABYTE
            table.add_row(f"{number}", f"{resident:.0f}", f"{count:,}", f"{held:.2f}")
    rich.print(table)


def peaks(size: str) -> Table:
    """Return a table of a candidate's peak memory, by the system, beside the memory it needs."""
    table = Table(title=f"at most, MB over the empty process, {size}")
    for column in ("", *WAYS, "needed", "of it supernet, grad., mom., data", "ours / needed"):
        table.add_column(column, justify="right" if column else "left")
    for number in range(3):
        found = {way: apart(way, size, number) for way in WAYS}
        bare, ours = found["bare"], found["ours"]
        activations = bare.more - bare.network - 2 * bare.learned - bare.data
        parts = ours.supernet + 2 * ours.learned + ours.data
        needed = parts + activations
        more = [f"{peak.more:.1f}" for peak in found.values()]
        table.add_row(
            f"genotype {number}",
            *more,
            f"{needed:.1f}",
            f"{ours.supernet:.1f} + {ours.learned:.1f} + {ours.learned:.1f} + {ours.data:.1f}",
            f"{ours.more / needed:.2f}",
        )
    return table


if __name__ == "__main__":
    for name in SIZES:
        rich.print(peaks(name))
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
