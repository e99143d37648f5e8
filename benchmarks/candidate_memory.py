"""What stays in memory from candidate to candidate, and what a candidate needs at most.

Usage: python benchmarks/candidate_memory.py [CANDIDATES]   (200 unless given)

Random architectures, 32 + 32 pictures of 32 pixels, 4 channels, 5 cells, each committed. "Tensors"
are all that live between two candidates, "resident" is the process as the system sees it.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

import numpy as np
import psutil
import rich
import torch
from candidate import SPACE, noise
from rich.table import Table
from torch import Tensor

from relativenas_optuna.candidate import Trainer
from relativenas_optuna.samplers.claims import Seat
from relativenas_optuna.search_settings import preset

MEGABYTE = 2**20


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
    settings = replace(preset("small"), channels=4, batch_size=16)
    data = noise(32, 0), noise(32, 1)
    trainer = Trainer(SPACE, *data, settings=settings, seed=0)
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
    network = sum(t.nbytes for t in trainer.supernet.state_dict().values()) / MEGABYTE
    largest = max(sum(t.nbytes for t in trainer.supernet.tensors(g).values()) for g in genotypes)
    pictures = sum(part.images.nbytes + part.labels.nbytes for part in data) / MEGABYTE
    rich.print(
        f"supernet {network:.2f} MB, data {pictures:.2f} MB, the largest sub-network "
        f"{largest / MEGABYTE:.2f} MB: four times that while it trains (weights to go back to, "
        "gradients, momentum, what is taken out), and the activations of one batch"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
