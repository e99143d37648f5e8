"""Measure seconds per candidate: the published procedure, ours, and the bare passes.

Usage: python benchmarks/candidate.py [--device NAME] [--threads N] [--repetitions N] [--images N]
    [--sizes ...]

A candidate is one epoch of training and one validation, on 500 + 500 images of 32 pixels; they
are noise, for their content does not change the work. All three do the same work for the same three
genotypes, one after the other in turn. "Bare" is forward, backward, SGD step and validation of the
stand-alone network on tensors that are ready; "published" is `published_procedure.py`. On a CPU
the processor time counts, as others may use the machine; on a GPU the clock does. "wall" is the
clock.

What paid: times slower without it, a training step, least of 5 (C4 L5) and 2 (C16 L8) in turn, one
thread of a 2-core EPYC (AVX-512) under a load of 5, so +-10 %.
    gradients of depthwise convolutions, `networks/depthwise.py`   1.32   1.40
        of that the weight gradient                                1.01   1.19
        of that kernels of 5 in parts of 3                         0.94   1.02
    batch norm of folded channels, `networks/norm.py`              1.07   1.03
    `kept_memory`: 3,000 page faults a step become 100; no difference in time beyond the noise
All of it: a step in 0.85, 0.84, 0.68 (C4 L5) and 0.64, 0.64 (C16 L8) of the time, in processes of
the old and the new code in turn. Channels-last and inference mode were on before.
Did not: several images as one of more channels for pooling, 1.4 (largest) and 2.9 (mean) times
as fast at 4 channels and stride 1, elsewhere no faster. Not tried: fused ReLU, multi-tensor SGD.
"""

from __future__ import annotations

import argparse
import statistics

import rich
import torch
from candidate_ways import Way, measure, per_candidate, ways
from candidate_work import SIZES, noise, settings_of
from rich.table import Table

from relativenas_optuna.training.device import device_name, resolve_device


def tables(name: str, measured: dict[str, Way]) -> tuple[Table, Table]:
    """Return a table of the results, and one of the time in each phase."""
    where = device_name(measured["ours"].device)
    threads = torch.get_num_threads()
    summary = Table(title=f"seconds per candidate, {name}, {where}, {threads} CPU thread(s)")
    for column in ("", "least", "median", "wall, least", "published / it", "it / bare"):
        summary.add_column(column, justify="right" if column else "left", no_wrap=True)
    parts = Table("", "phases, median wall seconds")
    least = {way: per_candidate(times.seconds, min) for way, times in measured.items()}
    for title, way in measured.items():
        summary.add_row(
            title,
            f"{least[title]:.3f}",
            f"{per_candidate(way.seconds, statistics.median):.3f}",
            f"{per_candidate(way.wall, min):.3f}",
            f"{least['published'] / least[title]:.2f}",
            f"{least[title] / least['bare']:.2f}",
        )
        split = (f"{n} {statistics.median(s):.3f}" for n, s in way.phases.items())
        parts.add_row(title, ", ".join(split))
    return summary, parts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Seconds per candidate.")
    parser.add_argument("--device", default="cpu", help="cpu unless given")
    parser.add_argument("--threads", type=int, default=1, help="of the processor; 1 unless given")
    parser.add_argument("--repetitions", type=int, default=3, help="3 unless given")
    parser.add_argument("--images", type=int, default=500, help="of each half; 500 unless given")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="or all")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    for name in options.sizes:
        images = noise(options.images, 0), noise(options.images, 1)
        measured = ways(settings_of(name), *images, device)
        measure(measured, options.repetitions)
        rich.print(*tables(name, measured))


if __name__ == "__main__":
    main()
