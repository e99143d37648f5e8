"""Search on a data set of the library `datasets`, from the hub or, as here, from Parquet files.

pip install "relativenas-optuna[hf]". Usage: python hugging_face.py [NAME], such as beans.
On the command line: relativenas search --data hf:NAME
"""

import sys
from dataclasses import replace

import numpy as np
import optuna
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Picture

from relativenas_optuna import CellSpace, RelativeNASSampler, SupernetObjective
from relativenas_optuna.objective import preset


def write_stripes(folder: str) -> str:
    """Write a data set of 40 upright and 40 level striped images, of different sizes."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for number in range(80):
        side, label = 16 + number % 5, number % 2
        wave = 127 * np.sin(np.arange(side) + rng.uniform(0, 6)) + 128
        grey = np.repeat(np.expand_dims(wave, label), side, label)
        images.append(Picture.fromarray(grey.astype(np.uint8)))
        labels.append(label)
    features = Features({"image": Image(), "label": ClassLabel(names=["upright", "level"])})
    rows = Dataset.from_dict({"image": images, "label": labels}, features=features)
    rows.to_parquet(f"{folder}/train.parquet")
    return folder


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else write_stripes("stripes")
    settings = replace(preset("small"), channels=4, population=4, generations=2, cutout=4)
    settings = replace(settings, uniform_epochs=0)
    space = CellSpace(nodes=2)
    objective = SupernetObjective(space, f"hf:{name}", settings=settings)
    sampler = RelativeNASSampler(
        space.distributions, population_size=settings.population, seed=0, preset="paper"
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=settings.population * settings.generations)
    print(f"classes {', '.join(objective.classes)}: loss {study.best_value:.3f}")
    print(space.text(space.genotype(study.best_params)))
