"""Processes of `workers.py`, which score candidates and send the times when they ended."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

import optuna
import torch
from candidate_work import noise
from published_procedure import published_candidate

from relativenas_optuna import CellSpace, Genotype, RelativeNASSampler, SupernetObjective
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.search.seat_loop import score_seats
from relativenas_optuna.storages.opening import storage_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from optuna.trial import FrozenTrial

NAME = "workers"
PATIENCE = 600.0  # seconds, for processes that wait for one that failed
WARM_UP = 2  # candidates of each process before the measured ones, a pair

context = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Load:
    """The search that is measured.

    Attributes:
        settings: Settings of the search.
        images: Number of images in each half.
    """

    settings: SearchSettings
    images: int

    @property
    def space(self) -> CellSpace:
        """Search space."""
        return CellSpace(nodes=self.settings.nodes)

    def objective(self, folder: str) -> SupernetObjective[Genotype]:
        """Return the objective of one worker."""
        return SupernetObjective(
            self.space,
            noise(self.images, 0),
            validation=noise(self.images, 1),
            settings=self.settings,
            device="cpu",
            checkpoint=folder,
        )

    def sampler(self) -> RelativeNASSampler:
        """Return the sampler of the study."""
        return RelativeNASSampler(
            self.space.distributions,
            population_size=self.settings.population,
            seed=0,
            preset="paper",
        )


class Laps:
    """The end times of a process's candidates after its warm-up.

    Args:
        barrier: Barrier at which all processes wait for each other after their warm-up.
    """

    def __init__(self, barrier: Barrier) -> None:
        self._barrier = barrier
        self._left = WARM_UP
        self.begin = 0.0
        self.ends: list[float] = []

    def after(self, _: FrozenTrial | None = None) -> None:
        """Record the end of a candidate."""
        self._left -= 1
        if self._left < 0:
            self.ends.append(monotonic())
        elif self._left == 0:
            self._barrier.wait(PATIENCE)
            self.begin = monotonic()


def work(load: Load, threads: int, folder: str, barrier: Barrier, mouth: Connection) -> None:
    """Help to score a study; sends begin and ends of the measured candidates."""
    torch.set_num_threads(threads)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    laps, sampler = Laps(barrier), load.sampler()
    with storage_at(url_in(folder)) as storage:
        study = optuna.load_study(study_name=NAME, storage=storage, sampler=sampler)
        objective = load.objective(folder)
        generations = load.settings.generations
        score_seats(study, sampler, objective, generations=generations, on_trial=laps.after)
    mouth.send((laps.begin, laps.ends))


def publish(load: Load, threads: int, texts: Sequence[str], mouth: Connection) -> None:
    """Score architectures by the published procedure; sends the same."""
    torch.set_num_threads(threads)
    laps = Laps(context.Barrier(1))
    with TemporaryDirectory() as folder:
        shared = load.objective(folder).weights.snapshot()
    for text in texts:
        published_candidate(
            shared,
            load.space,
            Genotype.from_text(text),
            settings=load.settings,
            training=noise(load.images, 0),
            validation=noise(load.images, 1),
        )
        laps.after()
    mouth.send((laps.begin, laps.ends))


def url_in(folder: str) -> str:
    """Return the URL of the study's database in a folder."""
    return f"sqlite:///{Path(folder) / 'study.db'}"
