"""The ways to score a candidate that `candidate.py` compares."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from candidate_work import SPACE, genotypes, logits_of
from published_network import SearchNetwork
from published_procedure import published_candidate

from relativenas_optuna.objective.candidate import CandidateTrainer
from relativenas_optuna.objective.outcome import Watch
from relativenas_optuna.samplers.seats.claims import Seat
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from relativenas_optuna.objective.settings import SearchSettings
    from relativenas_optuna.spaces import Genotype
    from relativenas_optuna.training.data.image_set import ImageSet
    from relativenas_optuna.training.data.images import Images


@dataclass
class Way:
    """One way to score a candidate, and how long it took.

    Attributes:
        run: Function that scores the genotype of a number; it returns the seconds of each phase
            and ends when the device has done its work.
        device: Device of the work.
        seconds: Seconds of each repetition that count, by genotype.
        wall: Seconds of each repetition by the clock, by genotype.
        phases: Seconds of each run, by phase.
    """

    run: Callable[[int], dict[str, float]]
    device: torch.device
    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    wall: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, number: int) -> None:
        """Run once, and note the times."""
        wall, processor = perf_counter(), process_time()
        for phase, seconds in self.run(number).items():
            self.phases[phase].append(seconds)
        processor, wall = process_time() - processor, perf_counter() - wall
        self.seconds[number].append(processor if self.device.type == "cpu" else wall)
        self.wall[number].append(wall)


def our_way(
    settings: SearchSettings, training: ImageSet, validation: ImageSet
) -> tuple[Way, CandidateTrainer[Genotype]]:
    """Return this package's way to score a candidate, on the device of the images."""
    trainer = CandidateTrainer(SPACE, training, validation, settings=settings, seed=0)
    candidates = genotypes()

    def ours(number: int) -> dict[str, float]:
        outcome = trainer.train(candidates[number], Seat(0, number))
        watch = Watch(trainer.device)
        trainer.weights.commit(outcome.trained)
        outcome.phases.commit += watch.lap()
        return vars(outcome.phases)

    return Way(ours, trainer.device), trainer


def ways(
    settings: SearchSettings, training: Images, validation: Images, device: torch.device
) -> dict[str, Way]:
    """Return the three ways on a device, with the same initial weights; the images are on a CPU."""
    there = training.to(device), validation.to(device)
    ours, trainer = our_way(settings, *there)
    shared = {name: tensor.to(device) for name, tensor in trainer.weights.snapshot().items()}
    batches = [
        [
            (images.contiguous(memory_format=torch.channels_last), labels)
            for images, labels in zip(
                torch.split(normalise(data.images, *data.statistics()), size),
                torch.split(data.labels, size),
                strict=True,
            )
        ]
        for data, size in zip(there, (settings.batch_size, 2 * settings.batch_size), strict=True)
    ]
    candidates = genotypes()
    networks = [trainer.supernet.standalone(genotype).to(device) for genotype in candidates]

    def plain(number: int) -> dict[str, float]:
        return published_candidate(
            shared,
            SPACE,
            candidates[number],
            settings=settings,
            training=training,
            validation=validation,
        )

    def bare(number: int) -> dict[str, float]:
        with kept_memory():
            return passes(number)

    def passes(number: int) -> dict[str, float]:
        network, watch = networks[number], Watch(device)
        optimizer = torch.optim.SGD(network.parameters(), lr=settings.learning_rate, momentum=0.9)
        network.train()
        for images, labels in batches[0]:
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(logits_of(network(images)), labels))
            optimizer.step()
        trained = watch.lap()
        network.eval()
        with torch.inference_mode():
            for images, _ in batches[1]:
                network(images)
        return {"train": trained, "validate": watch.lap()}

    _check(trainer, shared, batches[1][0][0], settings)
    return {"published": Way(plain, device), "ours": ours, "bare": Way(bare, device)}


def _check(
    trainer: CandidateTrainer[Genotype],
    shared: dict[str, Tensor],
    images: Tensor,
    settings: SearchSettings,
) -> None:
    """Both networks compute the same with the same weights."""
    for genotype in genotypes():
        network = SearchNetwork(SPACE, genotype, settings, 10).to(images.device).eval()
        network.load_state_dict(shared)
        # TF32 rounds too much for a comparison.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            theirs = network(images[:8].contiguous())
            ours = trainer.supernet.eval()(images[:8], genotype)
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def measure(measured: dict[str, Way], repetitions: int) -> None:
    """Run all ways in turn on every genotype."""
    for _ in range(repetitions):
        for number in range(len(genotypes())):
            for way in measured.values():
                way.measure(number)


def per_candidate(times: dict[int, list[float]], of: Callable[[list[float]], float]) -> float:
    """Return the mean over the genotypes."""
    return statistics.fmean(of(seconds) for seconds in times.values())
