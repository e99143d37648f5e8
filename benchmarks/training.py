"""Compare an epoch of `relativenas train` with the bare passes of its network.

"ours" is all of an epoch: order, augmentation, forward, backward, clipping, step and figures, from
images in memory as bytes; with "files" from JPEG files that another process reads ahead. "bare"
is forward, backward and SGD step of the same network on batches that are ready. Both run in turn,
with the drop-path of the middle of the training. On a CPU the processor time of the process counts,
as others may use the machine (what reads ahead is another one); on a GPU the clock does.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import rich
import torch
from candidate_work import noise
from PIL import Image
from rich.table import Table

from relativenas_optuna.evaluation.standalone.distributed import ProcessGroup
from relativenas_optuna.evaluation.standalone.epoch import sgd
from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES
from relativenas_optuna.evaluation.standalone.recipe import Recipe
from relativenas_optuna.evaluation.standalone.setup import RecipeLoss, new_network, precision_of
from relativenas_optuna.evaluation.standalone.trainer import StandaloneTrainer
from relativenas_optuna.spaces import published
from relativenas_optuna.training.augmentation import normalise
from relativenas_optuna.training.data.streamed import stream_folder
from relativenas_optuna.training.device import resolve_device
from relativenas_optuna.training.memory import kept_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from relativenas_optuna.training.data.images import Images
    from relativenas_optuna.training.data.streamed import StreamedImages

GENOTYPE = published("RelativeNAS")
CASES = {
    "short": RECIPES["short"],
    "cifar, C16 L8": replace(RECIPES["cifar"], batch_size=64, channels=16, cells=8),
    "files, C16 L8": replace(RECIPES["imagenet"], batch_size=16, channels=16, cells=8),
    "cifar": RECIPES["cifar"],
    "files": replace(RECIPES["imagenet"], batch_size=128),
}
"""Recipes by name; the last two are the paper's, and take a GPU."""
ON_CPU = ("short", "cifar, C16 L8", "files, C16 L8")


@dataclass
class Way:
    """One way to train for an epoch, and seconds of each time."""

    run: Callable[[], None]
    seconds: list[float] = field(default_factory=list)

    def measure(self, device: torch.device) -> None:
        """Run once and note the time."""
        clock = perf_counter if device.type == "cuda" else process_time
        start = clock()
        self.run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.seconds.append(clock() - start)


def ways(recipe: Recipe, data: Images | StreamedImages, device: torch.device) -> tuple[Way, Way]:
    """Return this package's training and the bare passes."""
    recipe = replace(recipe, validation_fraction=0.0)
    middle = recipe.epochs // 2
    trainer = StandaloneTrainer(
        GENOTYPE, data, recipe=recipe, seed=0, group=ProcessGroup(device=device)
    )
    network = new_network(GENOTYPE, recipe, in_channels=3, classes=len(data.classes), seed=0).to(
        device
    )
    optimizer, dtype = sgd(network, recipe), precision_of(recipe, device)
    loss = RecipeLoss(recipe.label_smoothing, recipe.auxiliary)
    there = data.to(device)
    ready = [
        (normalise(images, *there.statistics()).contiguous(memory_format=torch.channels_last), of)
        for images, of in there.batches(recipe.batch_size)
    ]
    generator = torch.Generator(device).manual_seed(0)

    def ours() -> None:
        trainer.epoch(middle, None)

    def bare() -> None:
        network.train()
        for images, labels in ready:
            optimizer.zero_grad()
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                output = network(images, drop_path=recipe.drop_path_of(middle), generator=generator)
                batch_loss = loss(output, labels)
            torch.autograd.backward(batch_loss)
            optimizer.step()

    return Way(ours), Way(bare)


def files(folder: Path, count: int) -> Path:
    """JPEG files of 300x260 pixels in ten classes."""
    for number, image in enumerate(noise(count, 0).images):
        path = folder / str(number % 10) / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).resize((300, 260)).save(path)
    return folder


def measure(name: str, device: torch.device, options: argparse.Namespace) -> tuple[Way, Way]:
    """Both ways of a case, run in turn."""
    recipe = CASES[name]
    with tempfile.TemporaryDirectory() as folder, kept_memory():
        images: Images | StreamedImages = noise(options.images, 0)
        if recipe.random_resized_crop:
            count = max(20, options.images // 8) if device.type == "cpu" else options.images
            images = stream_folder(
                files(Path(folder), count), size=recipe.size, workers=options.readers
            )
        both = ways(recipe, images, device)
        for _ in range(options.repetitions + 1):
            for way in both:
                way.measure(device)
    return both


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Seconds per epoch of training.")
    parser.add_argument("--device", help="the best there is unless given")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU; 1 unless given")
    parser.add_argument("--repetitions", type=int, default=5, help="5 unless given")
    parser.add_argument("--images", type=int, default=512, help="of an epoch; 512 unless given")
    parser.add_argument("--readers", type=int, default=1, help="processes; 1 unless given")
    parser.add_argument("--cases", nargs="+", choices=CASES, help="those for the device")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    table = Table(title=f"seconds per epoch on {device}, least and median")
    for column in ("", "ours", "bare", "ours / bare"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name in options.cases or (ON_CPU if device.type == "cpu" else CASES):
        ours, bare = measure(name, device, options)
        cells = []
        for way in (ours, bare):
            del way.seconds[0]  # the first steps of a process take longer
            cells.append(f"{min(way.seconds):.3f} {statistics.median(way.seconds):.3f}")
        table.add_row(name, *cells, f"{min(ours.seconds) / min(bare.seconds):.2f}")
    rich.print(table)


if __name__ == "__main__":
    main()
