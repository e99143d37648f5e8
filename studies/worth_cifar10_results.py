"""Tables of the study `worth_cifar10`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from samplers_nasbench201_results import plus_minus


def tables(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the accuracies, and how much better what was found is, as Markdown.

    Differences are means over the seeds of the differences between trainings with one seed, with
    95 % intervals. For the random cells together, the interval is over the cells, each with its
    mean over the seeds.
    """
    names = list(dict.fromkeys(record["row"] for record in records))
    names.sort(key=lambda name: (name != "found", name.startswith("random"), name))
    of = {
        name: {record["seed"]: record for record in records if record["row"] == name}
        for name in names
    }
    found = of["found"]
    lines = ["| cell | test accuracy % | found is better by | parameters |", "|---|---|---|---|"]
    for name in names:
        accuracies = [100 * record["accuracy"] for record in of[name].values()]
        better = [
            100 * (found[seed]["accuracy"] - record["accuracy"])
            for seed, record in of[name].items()
            if seed in found
        ]
        gain = "" if name == "found" else plus_minus(better)
        size = next(iter(of[name].values()))["parameters"]
        lines.append(f"| {name} | {plus_minus(accuracies)} | {gain} | {size:,} |")
    gains = [
        100
        * statistics.mean(found[seed]["accuracy"] - of[name][seed]["accuracy"] for seed in found)
        for name in names
        if name.startswith("random") and set(found) <= set(of[name])
    ]
    if gains:
        lines.append(f"| mean of {len(gains)} random cells | | {plus_minus(gains)} | |")
    return "\n".join(lines)
