"""Measure seconds per candidate with images in memory, and with images in a file.

Usage: python benchmarks/candidate_images.py [--device NAME] [--images N] [--repetitions N]
    [--sizes ...]

The candidates and images are those of `candidate.py`, more of them. "File" reads pixels that the
system keeps in its memory, as it does after the first pass over a file that fits there. "Disk" is
the same after the system was told to forget the file before each candidate. On a CPU the processor
time counts, the readers' thread included, as others may use the machine; on a GPU the clock does.
"wall" is the clock.

300 + 300 images, C4 L5, one core of a 2-core EPYC under a load of 5: file 0.97 and disk 0.95 times
the processor time of memory (equal but for noise), 1.02 and 1.07 times its wall time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys

import rich
import torch
from candidate_ways import Way, measure, our_way, per_candidate
from candidate_work import SIZES, noise, settings_of
from rich.table import Table

from relativenas_optuna.training.data.dataset import images_of
from relativenas_optuna.training.data.file_images import FileImages
from relativenas_optuna.training.data.images import Images
from relativenas_optuna.training.device import device_name, resolve_device


def in_file(images: Images) -> FileImages:
    """Return the same images in a file."""
    pairs = list(zip(images.images, images.labels.tolist(), strict=True))
    found = images_of(pairs, classes=images.classes, like=images, in_memory=False)
    assert isinstance(found, FileImages)
    return found


def forget(images: FileImages) -> None:
    """Let the system forget what it has read of a file."""
    if sys.platform == "linux":
        os.posix_fadvise(images.pixels.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ways(name: str, count: int, device: torch.device) -> dict[str, Way]:
    """Return the ways to score a candidate on images in memory, in a file and on the disk."""
    settings, images = settings_of(name), (noise(count, 0), noise(count, 1))
    files = in_file(images[0]), in_file(images[1])
    found = {
        "memory": our_way(settings, images[0].to(device), images[1].to(device))[0],
        "file": our_way(settings, files[0].to(device), files[1].to(device))[0],
        "disk": our_way(settings, files[0].to(device), files[1].to(device))[0],
    }
    run = found["disk"].run

    def cold(number: int) -> dict[str, float]:
        for file in files:
            forget(file)
        return run(number)

    found["disk"].run = cold
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Seconds per candidate by the place of images.")
    parser.add_argument("--device", default="cpu", help="cpu unless given")
    parser.add_argument("--images", type=int, default=2000, help="of each half; 2000 unless given")
    parser.add_argument("--repetitions", type=int, default=3, help="3 unless given")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="or all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = resolve_device(options.device)
    for name in options.sizes:
        measured = ways(name, options.images, device)
        measure(measured, options.repetitions)
        table = Table(title=f"seconds per candidate, {name}, {device_name(device)}")
        for column in ("", "least", "median", "wall, least", "it / memory"):
            table.add_column(column, justify="right" if column else "left", no_wrap=True)
        memory = per_candidate(measured["memory"].seconds, min)
        for title, way in measured.items():
            least = per_candidate(way.seconds, min)
            median = per_candidate(way.seconds, statistics.median)
            wall = per_candidate(way.wall, min)
            ratio = least / memory
            table.add_row(title, f"{least:.3f}", f"{median:.3f}", f"{wall:.3f}", f"{ratio:.2f}")
        rich.print(table)


if __name__ == "__main__":
    main()
