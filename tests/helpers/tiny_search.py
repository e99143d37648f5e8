"""The smallest search: images, settings, objectives, studies, and what they came to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from PIL import Image
from torch import Tensor

from relativenas_optuna.objective.checkpoints import Checkpoint, FilePointer
from relativenas_optuna.objective.settings import SearchSettings
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.samplers.seats.claims import Seat, seat_of
from relativenas_optuna.samplers.seats.replay import Replay
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.search import Search
from relativenas_optuna.spaces import CellSpace, Genotype
from relativenas_optuna.training import Images, ImageSet, load_images

SETTINGS = SearchSettings(
    nodes=1,
    channels=2,
    cells=3,
    population=4,
    generations=3,
    batch_size=9,
    padding=1,
    cutout=2,
    drop_path=0.3,
)
SPACE = CellSpace(nodes=SETTINGS.nodes)
SEATS = SETTINGS.population * SETTINGS.generations
SEED = 5

Scores = dict[Seat, float]
Scoring = SupernetObjective[Genotype]


@cache
def tiny_images(count: int = 60) -> Images:
    return load_images("digits").subset(range(count))


def objective(
    *,
    data: ImageSet | None = None,
    checkpoint: Checkpoint | Path | None = None,
    space: CellSpace = SPACE,
    seed: int = SEED,
    validation: ImageSet | None = None,
    **changes: Any,
) -> Scoring:
    return SupernetObjective(
        space,
        tiny_images() if data is None else data,
        settings=replace(SETTINGS, **changes),
        seed=seed,
        device="cpu",
        checkpoint=checkpoint,
        validation=validation,
    )


def kept_in(folder: Path, search: str = "s") -> Checkpoint:
    """Return a checkpoint for studies of any name."""
    return Checkpoint(folder, pointer=FilePointer(folder / "weights.json"), search=search)


def sampler(
    *, space: CellSpace = SPACE, size: int = SETTINGS.population, seed: int = SEED
) -> RelativeNASSampler:
    return RelativeNASSampler(space.distributions, population_size=size, seed=seed, preset="paper")


def study(**options: Any) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.create_study(**{"sampler": sampler()} | options)


@contextmanager
def database(url: str) -> Iterator[RDBStorage]:
    """Yield a storage of which no connection stays open."""
    known = Path(url.removeprefix("sqlite:///")).exists()
    storage = RDBStorage(url, skip_compatibility_check=known, skip_table_creation=known)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def scores(searched: optuna.Study) -> Scores:
    """Return the loss of every scored seat, each of one trial."""
    found: Scores = {}
    for trial in searched.get_trials(states=[TrialState.COMPLETE]):
        seat = seat_of(trial)
        assert seat is not None
        assert seat not in found
        assert trial.value is not None
        found[seat] = trial.value
    return found


def positions(searched: optuna.Study) -> list[list[list[float]]]:
    """Return the positions of every generation, as a new process reads them."""
    replay = Replay()
    replay.update(searched)
    assert replay.population is not None
    return [
        [
            *np.nan_to_num(generation.positions, nan=-1.0).tolist(),
            *getattr(generation, "velocities", np.zeros(0)).tolist(),
        ]
        for generation in replay.population.generations
    ]


def same_bits(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    def bits(tensor: Tensor) -> Tensor:
        return tensor.detach().reshape(-1).contiguous().view(torch.uint8)

    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(bits(one[name]), bits(other[name]))
        for name in one
    )


def write_images(folder: Path, count: int = 60) -> Path:
    """Write the same images, with a folder for each class."""
    for number, (image, label) in enumerate(
        zip(tiny_images(count).images, tiny_images(count).labels.tolist(), strict=True)
    ):
        path = folder / str(label) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)
    return folder


def names(folder: Path) -> list[str]:
    """Return the sorted names of a folder's files."""
    return sorted(path.name for path in folder.iterdir())


def scored_seats(found: optuna.Study, *, generations: int) -> int:
    """Return the number of seats that are scored or have failed for good."""
    population = RelativeNASSampler(population_size=SETTINGS.population).population(found)
    return 0 if population is None else population.scored_seats(generations)


def until_scored(found: optuna.Study, scoring: Scoring, seats: int) -> None:
    while scored_seats(found, generations=seats // SETTINGS.population) < seats:
        found.optimize(scoring, n_trials=1)


def searched(seats: int = SEATS, **options: Any) -> tuple[Scoring, optuna.Study]:
    scoring = objective(**options)
    found = study(sampler=sampler(seed=options.get("seed", SEED)))
    until_scored(found, scoring, seats)
    return scoring, found


def choice_of(search: Search) -> Choice:
    choice = Choice.stored_in(search.study)
    assert choice is not None
    return choice
