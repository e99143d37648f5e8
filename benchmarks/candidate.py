"""Seconds per candidate, split into inherit, train, validate and commit.

Usage: python benchmarks/candidate.py [PICTURES]   (of the 32-pixel rows; 512 unless given)

Median over one generation in a study in memory; to commit includes the checkpoint on disk. The
pictures of 32 pixels are noise: their content does not change the work.
"""

import statistics
import sys
import tempfile
from dataclasses import replace

import optuna
import rich
import torch
from rich.table import Table

from relativenas_optuna import CellSpace, RelativeNASSampler, SupernetObjective
from relativenas_optuna.checkpoint import Checkpoint
from relativenas_optuna.search_settings import SearchSettings, preset
from relativenas_optuna.training.data import Pictures, load_pictures

PHASES = ("inherit", "train", "validate", "commit")


def noise(count: int) -> Pictures:
    """Pictures of 32x32 in ten classes, half of them to train on."""
    generator = torch.Generator().manual_seed(0)
    return Pictures(
        images=torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % 10,
        classes=tuple("0123456789"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )


def measure(pictures: Pictures, settings: SearchSettings) -> dict[str, float]:
    """Median seconds of each phase over a generation; the first candidate warms up."""
    space = CellSpace(nodes=settings.nodes)
    sampler = RelativeNASSampler(
        space.distributions, population_size=settings.population, seed=0, preset="paper"
    )
    study = optuna.create_study(sampler=sampler)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(folder, search="benchmark")
        objective = SupernetObjective(space, pictures, settings=settings, checkpoint=checkpoint)
        study.optimize(objective, n_trials=settings.population)
    seconds = [trial.user_attrs["seconds"] for trial in study.trials[1:]]
    return {phase: statistics.median(s[phase] for s in seconds) for phase in PHASES}


def main(count: int) -> None:
    """Measure and print."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = Table(title=f"seconds per candidate, {torch.get_num_threads()} CPU thread(s)")
    for column in ("settings", "pictures", *PHASES, "in all"):
        table.add_column(column, justify="left" if column == "settings" else "right")
    rows = (
        ("digits: C8 L5, 8 px, batch 32", load_pictures("digits"), preset("digits")),
        ("small: C8 L5, 32 px, batch 64", noise(count), replace(preset("small"), population=4)),
        (
            "paper: C16 L8, 32 px, batch 256",
            noise(count),
            replace(preset("paper"), population=4, generations=1),
        ),
    )
    for name, pictures, settings in rows:
        seconds = measure(pictures, settings)
        half = len(pictures) // 2
        figures = [*(seconds[phase] for phase in PHASES), sum(seconds.values())]
        table.add_row(name, f"{half} + {half}", *(f"{figure:.3f}" for figure in figures))
    rich.print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
