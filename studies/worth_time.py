"""Compare a search and its training with networks that need no search, for the same wall time.

Each run is the work of a user in a given time on one CPU core with a folder of images: search for
an architecture and train it, or train the published RelativeNAS cell, or a network of torchvision.
The runs are `relativenas search --time` and `relativenas compare --against`: all networks have the
same images, recipe and time, and are tested on images that influenced no choice. For images under
64 pixels each network of torchvision is also trained with the small stem.

    python studies/worth_time.py --data FOLDER

FOLDER has the sub-folders `train` and `test`, each with a sub-folder of images for each class. Each
seed draws its own training images, and is the seed of the search and of all trainings. Half of the
time is for the search by default. Each run is added to `--results` when it is done, and one that is
there is not run again. A run that was stopped continues. At the end the results are printed as
Markdown. Other options need other `--runs` and `--results`. With the defaults it takes about 12
hours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from samplers_nasbench201_results import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    Runs = Sequence[dict[str, Any]]

AGAINST = ("resnet18", "mobilenet_v3_small")
COLUMNS = (
    "time",
    "network",
    "seeds",
    "test accuracy, %",
    "95 % interval",
    "parameters",
    "multiply-adds, M",
    "latency, ms",
    "epochs",
    "search, s",
)


def main() -> None:
    """Do the runs that are missing, and write the results of all of them."""
    arguments = parsed()
    runs = Path(arguments.runs).absolute()
    runs.mkdir(parents=True, exist_ok=True)
    place = Path(arguments.results)
    place.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(place.read_text())["runs"] if place.exists() else []
    for minutes in arguments.minutes:
        for seed in range(arguments.seeds):
            if not any((one["minutes"], one["seed"]) == (minutes, seed) for one in found):
                found.append(run(minutes, seed, runs, arguments))
                write(place, {"runs": found})
    say(table(found))


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="A search and usual networks in the same time.")
    parser.add_argument("--data", required=True, help="folder of images with train and test")
    parser.add_argument("--runs", default="out/worth_time", help="folder of the runs")
    results = Path(__file__).with_suffix(".json")
    parser.add_argument("--results", default=results, help="JSON file of the results")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0 on")
    parser.add_argument("--images", type=int, default=2000, help="images to train on")
    parser.add_argument("--search-share", type=float, default=0.5, help="of the time, below 1")
    parser.add_argument("--against", nargs="+", default=AGAINST, help="networks of torchvision")
    parser.add_argument("--size", type=int, help="side of the images in pixels")
    parser.add_argument("--set", nargs="*", default=[], help="NAME=VALUE of the recipe")
    return parser.parse_args()


def run(minutes: float, seed: int, runs: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Search and compare with one seed, and return what `compare --json` prints.

    Args:
        minutes: Time of each network, the search included.
        seed: Seed of the images, the search and the trainings.
        runs: Folder of the runs; a run that was stopped there is continued.
        arguments: Arguments of the command line.
    """
    data = runs / f"images-seed-{seed}"
    if not data.exists():
        draw_images(Path(arguments.data), data, arguments.images, seed)
    study = ("--study", f"{minutes:g}-minutes-seed-{seed}", "--threads", "1")
    size = () if arguments.size is None else ("--size", str(arguments.size))
    time = 60 * minutes
    share = ("--time", f"{time * arguments.search_share:g}s")
    relativenas(runs, "search", *study, "--data", str(data), "--seed", str(seed), *size, *share)
    networks = [word for name in arguments.against for word in ("--against", name)]
    changes = [word for change in arguments.set for word in ("--set", change)]
    seeds = ("--seed", str(seed), "--seeds", "1")
    words = (*networks, *changes, *seeds, "--time", f"{time:g}s", "--json")
    found = json.loads(relativenas(runs, "compare", *study, *words))
    return {"minutes": minutes, "seed": seed, "images": arguments.images, "compared": found}


def draw_images(source: Path, target: Path, count: int, seed: int) -> None:
    """Copy all test images and a number of training images, as many of each class.

    Args:
        source: Folder with train and test.
        target: New folder, which appears when it is complete.
        count: Number of training images.
        seed: Seed of the draw.
    """
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source / "test", part / "test")
    classes = sorted(folder for folder in (source / "train").iterdir() if folder.is_dir())
    rng = np.random.default_rng(seed)
    for number, folder in enumerate(classes):
        files = sorted(folder.iterdir())
        of_class = count * (number + 1) // len(classes) - count * number // len(classes)
        if of_class > len(files):
            raise ValueError(f"{folder} has {len(files)} images, but {of_class} are needed")
        (part / "train" / folder.name).mkdir(parents=True)
        for index in rng.permutation(len(files))[:of_class]:
            shutil.copy(files[index], part / "train" / folder.name)
    part.rename(target)


def relativenas(folder: Path, *words: str) -> str:
    """Run a command of the tool in a folder on one core, and return its standard output."""
    say(f"relativenas {' '.join(words)}")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "relativenas_optuna", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:  # the command has said why
        sys.exit(ended.returncode)
    return ended.stdout


def table(runs: Runs) -> str:
    """Return the results as a Markdown table: means over seeds, and intervals of accuracies.

    Args:
        runs: Results of `run`.
    """
    lines = [COLUMNS, ("---:", "---", *["---:"] * (len(COLUMNS) - 2))]
    for minutes in sorted({run["minutes"] for run in runs}):
        of_time = [run["compared"] for run in runs if run["minutes"] == minutes]
        rows: dict[str, list[dict[str, Any]]] = {}
        for compared in of_time:
            for one in compared["architectures"]:
                search = compared["search_seconds"] if one["kind"] == "found" else 0
                rows.setdefault(one["name"], []).append(one | {"search": search})
        lines += [_row(minutes, name, ones) for name, ones in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(minutes: float, name: str, ones: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    accuracies = [100 * one["accuracy"] for one in ones]
    bounds = ""
    if len(accuracies) > 1:
        _, low, high = interval(accuracies)
        bounds = f"{low:.2f} to {high:.2f}"

    def mean(figure: str) -> float:
        return statistics.fmean(one[figure] for one in ones)

    return (
        f"{minutes:g} min",
        name,
        str(len(ones)),
        f"{statistics.fmean(accuracies):.2f}",
        bounds,
        f"{mean('parameters'):,.0f}",
        f"{mean('multiply_adds') / 1e6:.2f}",
        f"{1000 * mean('latency'):.2f}",
        f"{mean('epochs'):.0f}",
        f"{mean('search'):.0f}",
    )


def write(path: Path, data: dict[str, Any]) -> None:
    """Write data as JSON, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    part.replace(path)


def say(text: str) -> None:
    """Print a text at once, since the program takes long."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
