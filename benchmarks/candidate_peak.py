"""Measure the peak memory of scoring one candidate, each way in a process of its own.

Linux only, whose kernel notes the peak of a process (VmHWM) and forgets it when told to. What a
process has before it makes anything of the candidate's (interpreter, libraries, their buffers after
a first step of another network) is subtracted.
"""

from __future__ import annotations

import gc
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from candidate_work import SPACE, genotypes, logits_of, noise, settings_of
from published_procedure import published_candidate
from torch import Tensor

from relativenas_optuna.networks import build
from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Iterable

MEGABYTE = 2**20
IMAGES = 192  # of each half: three batches to train on, for more take no more memory
WAYS = ("bare", "ours", "ours, with a checkpoint", "published")


@dataclass(frozen=True)
class Peak:
    """The memory that a process measured, in megabytes.

    Attributes:
        more: The peak above the memory that the process had before.
        supernet: Size of all shared weights; 0 without them.
        network: Weights and buffers of the sub-network.
        learned: Its parameters, which have gradients and momentum of the same size.
        data: Images and labels.
    """

    more: float
    supernet: float
    network: float
    learned: float
    data: float


def resident(what: str) -> float:
    """Return a size in `/proc/self/status`: VmRSS now, VmHWM the most so far."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def of(tensors: Iterable[Tensor]) -> float:
    """Return the size of tensors in megabytes."""
    return sum(tensor.nbytes for tensor in tensors) / MEGABYTE


def bare(settings: SearchSettings, number: int) -> Peak:
    """Forward, backward, SGD step and validation of the stand-alone network, batch by batch."""
    data = noise(IMAGES, 0), noise(IMAGES, 1)
    network = build(
        genotypes()[number], "cifar10", channels=settings.channels, cells=settings.cells
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.025, momentum=0.9)
    with kept_memory():
        for part, size in zip(data, (settings.batch_size, 2 * settings.batch_size), strict=True):
            network.train(part is data[0])
            with torch.inference_mode(part is data[1]):
                for begin in range(0, len(part), size):
                    images = normalise(part.images[begin : begin + size], *part.statistics())
                    logits = logits_of(
                        network(images.contiguous(memory_format=torch.channels_last))
                    )
                    if part is data[0]:
                        optimizer.zero_grad()
                        loss = F.cross_entropy(logits, part.labels[begin : begin + size])
                        torch.autograd.backward(loss)
                        optimizer.step()
    return Peak(
        more=0,
        supernet=0,
        network=of(network.state_dict().values()),
        learned=of(network.parameters()),
        data=of(tensor for part in data for tensor in (part.images, part.labels)),
    )


def shared(settings: SearchSettings, number: int, way: str) -> Peak:
    """Return the memory of a candidate of a search, or of the published procedure."""
    data = noise(IMAGES, 0), noise(IMAGES, 1)
    trainer = CandidateTrainer(SPACE, *data, settings=settings, seed=0)
    genotype, state = genotypes()[number], trainer.supernet.state_dict()
    own = trainer.supernet.tensors(genotype).values()
    peak = Peak(
        more=0,
        supernet=of(state.values()),
        network=of(own),
        learned=of(tensor for tensor in own if tensor.requires_grad),
        data=of(tensor for part in data for tensor in (part.images, part.labels)),
    )
    if way == "published":
        weights = trainer.weights.snapshot()
        del trainer, state, own
        published_candidate(
            weights, SPACE, genotype, settings=settings, training=data[0], validation=data[1]
        )
    elif way == "ours":
        trainer.weights.commit(trainer.train(genotype, Seat(0, 0)).trained)
    else:
        with TemporaryDirectory() as folder:
            pointer = FilePointer(Path(folder, "weights.json"))
            checkpoint = Checkpoint(folder, pointer=pointer, search="s")
            for place in range(2):  # the second one beside what the first one left
                outcome = trainer.train(genotype, Seat(0, place))
                checkpoint.commit(trainer.weights, [outcome.trained])
    return peak


def measured(way: str, size: str, number: int) -> Peak:
    """Measure in this process, which is to be a new one."""
    torch.set_num_threads(1)
    settings = settings_of(size)
    _warm_up()
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    peak = bare(settings, number) if way == "bare" else shared(settings, number, way)
    return replace(peak, more=resident("VmHWM") - before)


def _warm_up() -> None:
    """Do a step of the smallest network, so that libraries allocate the memory that they keep."""
    network = build(genotypes()[0], "cifar10", channels=1, cells=3)
    loss = logits_of(network(torch.zeros(2, 3, 8, 8))).sum()
    torch.autograd.backward(loss)
    torch.optim.SGD(network.parameters(), lr=0.1).step()


def apart(way: str, size: str, number: int) -> Peak:
    """Measure in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, way, size, number).result()
