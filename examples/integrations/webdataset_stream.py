"""Search on a stream of webdataset, which is read once, into memory or into a file.

pip install webdataset. Without a stream of your own, `relativenas search --data
'shards-{000..001}.tar'` reads such files alone.
"""

import io
from dataclasses import replace

import numpy as np
import optuna
import webdataset
from PIL import Image

from relativenas_optuna import CellSpace, RelativeNASSampler, SupernetObjective
from relativenas_optuna.objective import preset
from relativenas_optuna.training import images_of


def write_stripes(pattern: str) -> None:
    """Write 80 images of upright or level stripes into two tar files."""
    rng = np.random.default_rng(0)
    with webdataset.ShardWriter(pattern, maxcount=40, verbose=0) as shards:
        for number in range(80):
            label = number % 2
            wave = 127 * np.sin(np.arange(20) + rng.uniform(0, 6)) + 128
            grey = np.repeat(np.expand_dims(wave, label), 20, label).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(grey).save(file, "PNG")
            shards.write({"__key__": f"{number:04}", "png": file.getvalue(), "cls": str(label)})


def decode(sample: dict[str, bytes]) -> tuple[Image.Image, int]:
    """Return image and label; `.decode()` of webdataset would also run pickles."""
    return Image.open(io.BytesIO(sample["png"])), int(sample["cls"])


write_stripes("shards-%03d.tar")
stream = webdataset.WebDataset("shards-{000..001}.tar", shardshuffle=False).map(decode)
images = images_of(stream, classes=["upright", "level"], size=16)
settings = replace(preset("small"), channels=4, population=4, generations=2, cutout=4)
space = CellSpace(nodes=2)
objective = SupernetObjective(space, images, settings=replace(settings, uniform_epochs=0))
sampler = RelativeNASSampler(space.distributions, population_size=4, seed=0, preset="paper")
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=sampler)
study.optimize(objective, n_trials=settings.population * settings.generations)
print(f"{len(images)} images of {images.shape}, loss {study.best_value:.3f}")
