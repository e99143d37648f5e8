"""Measure seconds per candidate: the published procedure, ours, and the bare passes.

Usage: python benchmarks/candidate.py [--threads N] [--repetitions N] [--images N] [--sizes ...]

A candidate is one epoch of training and one validation, on 500 + 500 images of 32 pixels; they
are noise, for their content does not change the work. All three do the same work for the same three
genotypes, one after the other in turn. "Bare" is forward, backward, SGD step and validation of the
stand-alone network on tensors that are ready; "published" is `published_procedure.py`. Processor
time counts, as others may use the machine; "wall" is the clock.

What paid: times slower without it, a training step, least of 5 (C4 L5) and 2 (C16 L8) in turn, one
thread of a 2-core EPYC (AVX-512) under a load of 5, so +-10 %.
    gradients of depthwise convolutions, `networks/depthwise.py`   1.32   1.40
        of that the weight gradient                                1.01   1.19
        of that kernels of 5 in parts of 3                         0.94   1.02
    batch norm of folded channels, `networks/norm.py`              1.07   1.03
    `kept_memory`: 3,000 page faults a step become 100; no difference in time beyond the noise
All of it: a step in 0.85, 0.84, 0.68 (C4 L5) and 0.64, 0.64 (C16 L8) of the time, in processes of
the old and the new code in turn. Channels-last and inference mode were on before.
Did not: several images as one of more channels for pooling, 1.4 (largest) and 2.9 (mean) times
as fast at 4 channels and stride 1, elsewhere no faster. Not tried: fused ReLU, multi-tensor SGD.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from dataclasses import dataclass, field, replace
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np
import rich
import torch
import torch.nn.functional as F
from published_procedure import SearchNetwork, published_candidate
from rich.table import Table
from torch import Tensor

from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.settings import SearchSettings, preset
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.spaces import CellSpace, Genotype, published
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Callable

SPACE = CellSpace()
SIZES = {"C4L5": (4, 5), "C16L8": (16, 8)}


def genotypes() -> list[Genotype]:
    """Return the published architecture, and two at random."""
    rng = np.random.default_rng(0)
    return [published("RelativeNAS"), SPACE.random(rng), SPACE.random(rng)]


def noise(count: int, seed: int) -> Images:
    """Return random images of 32x32 in ten classes."""
    generator = torch.Generator().manual_seed(seed)
    return Images(
        images=torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % 10,
        classes=tuple("0123456789"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


@dataclass
class Way:
    """One way to score a candidate, and how long it took.

    Attributes:
        run: Scores the genotype of that number; gives seconds by phase.
        processor: Seconds of each repetition, by genotype.
        wall: The same by the clock.
        phases: Seconds of each run, by phase.
    """

    run: Callable[[int], dict[str, float]]
    processor: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    wall: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, number: int) -> None:
        """Run once, and note the times."""
        wall, processor = perf_counter(), process_time()
        for phase, seconds in self.run(number).items():
            self.phases[phase].append(seconds)
        self.processor[number].append(process_time() - processor)
        self.wall[number].append(perf_counter() - wall)


def per_candidate(times: dict[int, list[float]], of: Callable[[list[float]], float]) -> float:
    """Return the mean over the genotypes."""
    return statistics.fmean(of(seconds) for seconds in times.values())


def ways(settings: SearchSettings, training: Images, validation: Images) -> dict[str, Way]:
    """Return the three ways, with the same initial weights."""
    trainer = CandidateTrainer(SPACE, training, validation, settings=settings, seed=0)
    shared = {name: tensor.clone() for name, tensor in trainer.weights.snapshot().items()}
    batches = [
        [
            (images.contiguous(memory_format=torch.channels_last), labels)
            for images, labels in zip(
                torch.split(normalise(data.images, *data.statistics()), size),
                torch.split(data.labels, size),
                strict=True,
            )
        ]
        for data, size in (
            (training, settings.batch_size),
            (validation, 2 * settings.batch_size),
        )
    ]
    candidates = genotypes()
    networks = [trainer.supernet.standalone(genotype) for genotype in candidates]

    def plain(number: int) -> dict[str, float]:
        return published_candidate(
            shared,
            SPACE,
            candidates[number],
            settings=settings,
            training=training,
            validation=validation,
        )

    def ours(number: int) -> dict[str, float]:
        outcome = trainer.train(candidates[number], Seat(0, number))
        start = perf_counter()
        trainer.weights.commit(outcome.trained)
        outcome.phases.commit += perf_counter() - start
        return vars(outcome.phases)

    def bare(number: int) -> dict[str, float]:
        with kept_memory():
            return passes(number)

    def passes(number: int) -> dict[str, float]:
        network, start = networks[number], perf_counter()
        optimizer = torch.optim.SGD(network.parameters(), lr=settings.learning_rate, momentum=0.9)
        network.train()
        for images, labels in batches[0]:
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(logits_of(network(images)), labels))
            optimizer.step()
        trained = perf_counter()
        network.eval()
        with torch.inference_mode():
            for images, _ in batches[1]:
                network(images)
        return {"train": trained - start, "validate": perf_counter() - trained}

    _check(trainer, shared, batches[1][0][0], settings)
    return {"published": Way(plain), "ours": Way(ours), "bare": Way(bare)}


def logits_of(output: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Return the logits; there is no auxiliary head here."""
    assert isinstance(output, Tensor)
    return output


def _check(
    trainer: CandidateTrainer[Genotype],
    shared: dict[str, Tensor],
    images: Tensor,
    settings: SearchSettings,
) -> None:
    """Both networks compute the same with the same weights."""
    for genotype in genotypes():
        network = SearchNetwork(SPACE, genotype, settings, 10).eval()
        network.load_state_dict(shared)
        with torch.inference_mode():
            theirs = network(images[:8].contiguous())
            ours = trainer.supernet.eval()(images[:8], genotype)
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def tables(name: str, measured: dict[str, Way]) -> tuple[Table, Table]:
    """Return a table of the results, and one of the time in each phase."""
    summary = Table(title=f"seconds per candidate, {name}, {torch.get_num_threads()} CPU thread(s)")
    for column in ("", "least", "median", "wall, least", "published / it", "it / bare"):
        summary.add_column(column, justify="right" if column else "left", no_wrap=True)
    parts = Table("", "phases, median wall seconds")
    least = {way: per_candidate(times.processor, min) for way, times in measured.items()}
    for title, way in measured.items():
        summary.add_row(
            title,
            f"{least[title]:.3f}",
            f"{per_candidate(way.processor, statistics.median):.3f}",
            f"{per_candidate(way.wall, min):.3f}",
            f"{least['published'] / least[title]:.2f}",
            f"{least[title] / least['bare']:.2f}",
        )
        split = (f"{n} {statistics.median(s):.3f}" for n, s in way.phases.items())
        parts.add_row(title, ", ".join(split))
    return summary, parts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Seconds per candidate.")
    parser.add_argument("--threads", type=int, default=1, help="of the processor; 1 unless given")
    parser.add_argument("--repetitions", type=int, default=3, help="3 unless given")
    parser.add_argument("--images", type=int, default=500, help="of each half; 500 unless given")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="or all")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.sizes:
        channels, cells = SIZES[name]
        settings = replace(
            preset("paper"), channels=channels, cells=cells, batch_size=64, learning_rate=0.025
        )
        measured = ways(settings, noise(options.images, 0), noise(options.images, 1))
        for _ in range(options.repetitions):
            for number in range(3):
                for way in measured.values():
                    way.measure(number)
        rich.print(*tables(name, measured))


if __name__ == "__main__":
    main()
