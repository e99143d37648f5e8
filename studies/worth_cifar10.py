"""Compare what a search on the whole CIFAR-10 finds with random cells of its size.

One search of at most `--time` runs on the training images. Then what it found, random cells whose
networks have about as many parameters, and published cells are trained stand-alone on a part of
the training images, as deep and thin networks on small images, like in the finals of a search. They
are judged by the accuracy on all test images.

    python studies/worth_cifar10.py --data FOLDER

FOLDER has the folders `train` and `test`, each with a sub-folder of images for each class. Every
training is added to `worth_cifar10.json` beside this file when it is done. A training or a search
whose result is there is not run again, so that the command can be stopped and repeated; the search
is continued too. At the end it prints the tables. Other options need other `--runs` and
`--results`. With the defaults it takes about three hours on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from samplers_nasbench201 import say, write
from worth_cifar10_results import tables

from relativenas_optuna.objective.settings import preset
from relativenas_optuna.search.choice import Choice
from relativenas_optuna.search.finals.settings import FinalsSettings
from relativenas_optuna.search.finals.training import FinalsTrainer
from relativenas_optuna.search.study_access import study_at
from relativenas_optuna.spaces.cell_space import CellSpace
from relativenas_optuna.spaces.genotype import Genotype
from relativenas_optuna.spaces.published_cells import published
from relativenas_optuna.training.data.load import load_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from relativenas_optuna.training.data.image_set import ImageSet

    Records = Sequence[Mapping[str, Any]]

RESULTS = Path(__file__).with_suffix(".json")
FOUND = "found"
PUBLISHED = ("RelativeNAS", "MIGO-NAS-1", "DARTS_V2")
WITHIN = 0.1  # of the parameters of what was found
_DRAWS = 601  # purpose of random numbers


def main() -> None:
    """Search, train what is missing, and write the results."""
    arguments = parsed()
    torch.set_num_threads(1)
    place = Path(arguments.results)
    place.parent.mkdir(parents=True, exist_ok=True)
    records = json.loads(place.read_text()) if place.exists() else []
    found = found_in(records) or searched(arguments)
    data = Path(arguments.data)
    training = load_images(data / "train", size=arguments.size)
    test = load_images(data / "test", size=arguments.size)
    for seed in range(arguments.seeds):
        images = training.split(arguments.images / len(training), seed=seed)[0]
        trainer = trainer_of(images, test, seed, arguments)
        for name, cell in rows(found, trainer, arguments.random):
            if any((one["row"], one["seed"]) == (name, seed) for one in records):
                continue
            began = time.process_time()
            score = trainer.train(cell, 0)
            record = {
                "row": name,
                "seed": seed,
                "accuracy": score.accuracy,
                "loss": score.loss,
                "parameters": trainer.parameters(cell),
                "cell": cell.to_text(),
                "seconds": round(time.process_time() - began, 1),
            }
            records.append(record)
            write(place, records)
            say(f"{name}, seed {seed}: {100 * score.accuracy:.2f} % in {record['seconds']} s")
    say(tables(records))


def found_in(records: Records) -> Genotype | None:
    """Return the cell that the search of some records found; None without such a record."""
    texts = [one["cell"] for one in records if one["row"] == FOUND]
    return Genotype.from_text(texts[0]) if texts else None


def searched(arguments: argparse.Namespace) -> Genotype:
    """Start or continue the search, and return its result."""
    runs = Path(arguments.runs)
    runs.mkdir(parents=True, exist_ok=True)
    storage = f"sqlite:///{runs / 'search.db'}"
    command = [sys.executable, "-m", "relativenas_optuna", "search", "--threads", "1"]
    place = ["--storage", storage, "--study", "worth", "--out", str(runs / "search")]
    data = ["--data", str(Path(arguments.data, "train")), "--time", arguments.time]
    subprocess.run([*command, *place, *data], check=True)
    with study_at(storage, "worth", read_only=True) as study:
        choice = Choice.stored_in(study)
    assert choice is not None
    assert isinstance(choice.winner.genotype, Genotype)
    return choice.winner.genotype


def trainer_of(
    training: ImageSet, test: ImageSet, seed: int, arguments: argparse.Namespace
) -> FinalsTrainer:
    """Return the trainer of deep and thin networks."""
    return FinalsTrainer(
        training,
        test,
        settings=FinalsSettings(
            cells=arguments.cells, channels=arguments.channels, pixels=arguments.size
        ),
        search=preset("small"),
        built_in=True,
        epochs=(arguments.epochs,),
        seed=seed,
        folder=None,
    )


def rows(found: Genotype, trainer: FinalsTrainer, count: int) -> Iterator[tuple[str, Genotype]]:
    """Yield the names and cells that are compared; the random ones are the same for all seeds."""
    yield FOUND, found
    for name in PUBLISHED:
        yield name, published(name)
    size = trainer.parameters(found)
    space, rng = CellSpace(), np.random.default_rng(_DRAWS)
    number = 0
    while number < count:
        cell: Any = space.random(rng)
        if abs(trainer.parameters(cell) / size - 1) <= WITHIN:
            number += 1
            yield f"random {number}", cell


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="A search on the whole CIFAR-10.")
    parser.add_argument("--data", required=True, help="folder with the folders train and test")
    parser.add_argument("--runs", default="out/worth_cifar10", help="folder of the search")
    parser.add_argument("--results", default=RESULTS, help="file of the results")
    parser.add_argument("--time", default="1h", help="time of the search")
    parser.add_argument("--random", type=int, default=8, help="number of random cells")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each cell")
    parser.add_argument("--size", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=10_000, help="images to train on")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=6)
    return parser.parse_args()


if __name__ == "__main__":
    main()
