"""Search for an architecture on your own images, in a folder with one sub-folder per class.

Usage: python own_images.py [FOLDER]. Without FOLDER it makes a small folder of striped images.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from PIL import Image

from relativenas_optuna import CellSpace, RelativeNASSampler, SupernetObjective, build
from relativenas_optuna.objective import preset
from relativenas_optuna.training import load_images


def make_stripes(folder: Path) -> Path:
    """Write 40 noisy images of vertical and 40 of horizontal stripes."""
    rng = np.random.default_rng(0)
    for name, axis in (("upright", 0), ("level", 1)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(40):
            wave = 127 * np.sin(np.arange(16) + rng.uniform(0, 6)) + 128
            grey = np.repeat(np.expand_dims(wave, axis), 16, axis) + rng.normal(0, 30, (16, 16))
            image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else make_stripes(Path("stripes"))
    settings = replace(preset("small"), channels=4, population=4, generations=3, cutout=4)
    space = CellSpace(nodes=2)
    objective = SupernetObjective(space, load_images(folder), settings=settings)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = RelativeNASSampler(
        space.distributions, population_size=settings.population, seed=0, preset="paper"
    )
    study = optuna.create_study(sampler=sampler, storage="sqlite:///own_images.db")
    study.optimize(objective, n_trials=settings.population * settings.generations)

    best = study.best_trial
    print(f"{len(objective.classes)} classes, best accuracy {best.user_attrs['accuracy']:.3f}")
    network = build(
        space.genotype(best.params), channels=16, cells=8, num_classes=len(objective.classes)
    )
    print(f"to train on its own: {sum(p.numel() for p in network.parameters()):,} parameters")
