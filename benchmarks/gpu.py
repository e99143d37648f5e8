"""Measure on one GPU what users run, and print one Markdown table.

Usage: python benchmarks/gpu.py [--device NAME] [--limit SECONDS] [--tiny]

The rows are the candidates of `candidate.py` (C16 L8, 500 + 500 images; ours in bfloat16 too), a
search, one that is killed and continued, one with two workers, a training in float32 and in
bfloat16, and an export. Searches and trainings have the paper's settings, but are short: 16
candidates and 2 epochs, on 4,000 images of noise, whose content does not change the work. The
seconds of a command include its start of a few seconds; the figures beside them do not.

A row is printed as soon as it is measured. A part that fails, or does not end within the limit, has
a row with the reason; the other parts are measured all the same, and the exit status is 1. With
--tiny the figures mean nothing. It shows that all parts run, and takes about a minute on a CPU.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import optuna
import torch
from candidate_ways import measure, our_way, per_candidate, ways
from candidate_work import noise, settings_of
from gpu_commands import FULL, TINY, Commands, Row

from relativenas_optuna.training.device import device_name, resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def candidates(device: torch.device, *, tiny: bool) -> Iterator[Row]:
    """Measure the published procedure, ours, the bare passes, and ours in bfloat16."""
    settings = settings_of("C4L5" if tiny else "C16L8")
    count = 10 if tiny else 500
    images = noise(count, 0), noise(count, 1)
    measured = ways(settings, *images, device)
    there = images[0].to(device), images[1].to(device)
    mixed = replace(settings, precision="bfloat16")
    measured["ours, bfloat16"], _ = our_way(mixed, *there)
    if not tiny:
        measure(measured, 1)  # the first steps of a process take longer
        for way in measured.values():
            way.seconds.clear()
            way.phases.clear()
    measure(measured, 1 if tiny else 3)
    least = {name: per_candidate(way.seconds, min) for name, way in measured.items()}
    for name, way in measured.items():
        phases = (f"{phase} {statistics.median(s):.3f}" for phase, s in way.phases.items())
        figures = f"published / it {least['published'] / least[name]:.2f}, {', '.join(phases)}"
        yield Row(f"candidate, {name}", least[name], figures)


def measured(name: str, part: Callable[[], Iterator[Row]]) -> bool:
    """Print the rows of a part; returns False if it failed."""
    try:
        for row in part():
            print(f"| {row.what} | {row.seconds:.3f} | {row.figures} |", flush=True)
    except Exception as error:  # one part that fails leaves the others
        reason = " ".join(str(error).replace("|", "/").split())
        print(f"| {name} | failed | {reason[-300:]} |", flush=True)
        return False
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What users run, on one GPU.")
    parser.add_argument("--device", default="cuda", help="cuda unless given")
    parser.add_argument("--limit", type=float, default=450, help="seconds in all; 450 unless given")
    parser.add_argument("--tiny", action="store_true", help="whether it runs, not how fast")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    deadline = time.monotonic() + options.limit
    device = resolve_device(options.device)
    versions = f"PyTorch {torch.__version__}, Python {platform.python_version()}"
    print(f"{device_name(device)}, {versions}\n\n| what | seconds | figures |\n|---|---:|---|")
    with TemporaryDirectory() as folder:
        load = TINY if options.tiny else FULL
        commands = Commands(load, Path(folder), str(device), deadline)
        commands.write_images()
        parts: dict[str, Callable[[], Iterator[Row]]] = {
            "candidates": partial(candidates, device, tiny=options.tiny),
            "search": commands.search,
            "killed and continued": commands.resume,
            "2 workers": commands.workers,
            "train and export": commands.train,
        }
        succeeded = [measured(name, part) for name, part in parts.items()]
    print(f"\n{options.limit - (deadline - time.monotonic()):.0f} seconds in all")
    sys.exit(not all(succeeded))


if __name__ == "__main__":
    main()
