"""Judge the runs of `samplers_nasbench201.py` by the table, and show them as tables and a chart."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
from nasbench201_table import cell_of, true_accuracies
from scipy.stats import kendalltau
from scipy.stats import t as student

from relativenas_optuna.spaces.nasbench201 import (
    NASBench201Cell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Results = Mapping[str, Any]

LEAST = 74.0  # accuracy at the edge of the chart, where lower ones are arrows
QUANTILES = (0.1, 0.5, 0.9, 0.99)
ORDER = ("RelativeNAS", "MIGO", "MIGO, most likely", "TPE", "NSGA-II", "random")


def results(
    runs: Path, limits: Sequence[int], *, parameters: Callable[[NASBench201Cell], int]
) -> dict[str, Any]:
    """Return all finished runs with their true accuracies, and the scale to read these by.

    Args:
        runs: Folder of the runs.
        limits: Largest numbers of parameters; 0 for no limit.
        parameters: Function that counts the parameters of an architecture.
    """
    truth = true_accuracies()
    sizes = {digits: parameters(cell_of(digits)) for digits in truth}
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))]
    sizes_of_runs = [run.pop("sizes") for run in found]
    if any(sizes != sizes_of_runs[0] for sizes in sizes_of_runs):
        raise ValueError(f"runs must have the same sizes; those in {runs} differ")
    for run in found:
        run["accuracy"] = truth[run["found"]]
        run["likely_accuracy"] = None if run["likely"] is None else truth[run["likely"]]
        run["best_trained"] = max(truth[digits] for digits, _ in run["trained"])
        run["tau"] = round(agreement(run["trained"], truth), 3)
    return {
        "sizes": sizes_of_runs[0],
        "scale": {str(limit): scale(truth, sizes, limit) for limit in limits},
        "runs": found,
    }


def agreement(trained: Sequence[tuple[str, float | None]], truth: Mapping[str, float]) -> float:
    """Return Kendall's tau of losses and true accuracies, 1 if the lower loss is always better.

    Only the second half of the candidates counts, because losses fall while the shared weights are
    trained.

    Args:
        trained: Digits and loss of each candidate in their order; None if the training diverged.
        truth: True accuracies by digits.
    """
    known = [(loss, truth[digits]) for digits, loss in trained if loss is not None]
    losses, accuracies = zip(*known[len(known) // 2 :], strict=True)
    return -float(kendalltau(losses, accuracies).statistic)


def scale(truth: Mapping[str, float], sizes: Mapping[str, int], limit: int) -> dict[str, Any]:
    """Return the accuracies of random architectures, of the largest ones and of the best one.

    Args:
        truth: True accuracies by digits.
        sizes: Numbers of parameters by digits.
        limit: Largest number of parameters; 0 for no limit.
    """
    within = [digits for digits in truth if not limit or sizes[digits] <= limit]
    accuracies = [truth[digits] for digits in within]
    most = max(sizes[digits] for digits in within)
    largest = [truth[digits] for digits in within if sizes[digits] == most]
    return {
        "architectures": len(within),
        "quantiles": dict(
            zip(map(str, QUANTILES), np.quantile(accuracies, QUANTILES).round(2), strict=True)
        ),
        "best": max(accuracies),
        "largest": {
            "parameters": most,
            "architectures": len(largest),
            "accuracy": round(statistics.mean(largest), 2),
        },
    }


def tables(found: Results) -> str:
    """Return the scale and the results of each limit as tables of Markdown."""
    lines = [
        "| architectures | number | "
        + " | ".join(f"{float(q):.0%} quantile" for q in map(str, QUANTILES))
        + " | best | largest by parameters |",
        "|---" * (len(QUANTILES) + 4) + "|",
    ]
    for limit, of in found["scale"].items():
        largest = of["largest"]
        lines.append(
            f"| {_title(limit)} | {of['architectures']:,} | "
            + " | ".join(f"{of['quantiles'][str(q)]:.2f}" for q in QUANTILES)
            + f" | {of['best']:.2f} | {largest['accuracy']:.2f} |"
        )
    for limit in found["scale"]:
        lines += [
            "",
            f"### {_title(limit).capitalize()}",
            "",
            "| sampler | seeds | found | minus random search | best trained | tau | proposals |",
            "|---|---|---|---|---|---|---|",
        ]
        random = accuracies(found, limit).get("random", {})
        for name, of_seed in accuracies(found, limit).items():
            runs = runs_of(found, name, limit)
            paired = [value - random[s] for s, value in of_seed.items() if s in random]
            best = statistics.mean(run["best_trained"] for run in runs)
            proposed = statistics.mean(run["proposed"] for run in runs)
            tau = interval_text([run["tau"] for run in runs], sign="+")
            difference = interval_text(paired, sign="+") if paired and name != "random" else ""
            lines.append(
                f"| {name} | {len(of_seed)} | {interval_text(list(of_seed.values()))} | "
                f"{difference} | {best:.2f} | {tau} | {proposed:.0f} |"
            )
    return "\n".join([*lines, ""])


def accuracies(found: Results, limit: str) -> dict[str, dict[int, float]]:
    """Return the true accuracies of what was found, by sampler and seed."""
    by_name: dict[str, dict[int, float]] = {name: {} for name in ORDER}
    for run in found["runs"]:
        if run["limit"] == int(limit):
            by_name[run["sampler"]][run["seed"]] = run["accuracy"]
            if run["likely_accuracy"] is not None:
                by_name[f"{run['sampler']}, most likely"][run["seed"]] = run["likely_accuracy"]
    return {name: of_seed for name, of_seed in by_name.items() if of_seed}


def runs_of(found: Results, name: str, limit: str) -> list[Any]:
    """Return the runs of a sampler with a limit."""
    sampler = name.removesuffix(", most likely")
    return [r for r in found["runs"] if r["sampler"] == sampler and r["limit"] == int(limit)]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and the 95 % interval of Student's t; NaN bounds with a single value."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def plus_minus(values: Sequence[float]) -> str:
    """Return the mean and half the length of the interval as text, "1.23 ± 0.45"."""
    mean, _, high = interval(values)
    return f"{mean:.2f}" if len(values) < 2 else f"{mean:.2f} ± {high - mean:.2f}"


def interval_text(values: Sequence[float], sign: str = "") -> str:
    """Return the mean and the interval of some values as text."""
    mean, low, high = interval(values)
    return f"{mean:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def chart(found: Results, path: Path) -> None:
    """Draw what each run found, with means and intervals, over the scale of the table.

    An arrow at the edge is a value below it.
    """
    from matplotlib import pyplot as plt

    limits = found["scale"]
    figure, axes = plt.subplots(
        1, len(limits), figsize=(11, 4.2), layout="constrained", squeeze=False, sharex=True
    )
    for axis, (limit, of) in zip(axes[0], limits.items(), strict=True):
        by_name = accuracies(found, limit)
        for place, of_seed in enumerate(by_name.values()):
            values = list(of_seed.values())
            mean, low, high = interval(values)
            marks = {
                "o": [v for v in values if v >= LEAST],
                "<": [LEAST for v in values if v < LEAST],
            }
            for mark, at in marks.items():
                axis.plot(at, [place] * len(at), mark, color=f"C{place}", alpha=0.45, ms=5)
            axis.plot([low, high], [place + 0.22] * 2, color=f"C{place}", lw=2)
            axis.plot(mean, place + 0.22, "D", color=f"C{place}", ms=6)
        scale_lines = {
            "median of all architectures": (of["quantiles"]["0.5"], ":"),
            "best tenth": (of["quantiles"]["0.9"], "-."),
            "largest by parameters": (of["largest"]["accuracy"], "--"),
            "best": (of["best"], "-"),
        }
        lines = [
            axis.axvline(value, color="0.45", lw=1, ls=style, label=name, zorder=0)
            for name, (value, style) in scale_lines.items()
        ]
        axis.set_yticks(range(len(by_name)), list(by_name))
        axis.set_ylim(len(by_name) - 0.5, -0.5)
        axis.set_xlim(LEAST - 0.4, 93)
        axis.set_xlabel("true validation accuracy of the architecture found (%)")
        axis.set_title(_title(limit), loc="left")
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _title(limit: str) -> str:
    return f"at most {int(limit):,} parameters" if int(limit) else "no limit"
