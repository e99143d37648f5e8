"""Figures and table of the study `shared_scores`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from nasbench201_table import SPACE, cell_of, parameters, table_accuracy
from samplers_nasbench201_results import plus_minus
from scipy.stats import kendalltau, rankdata

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

TOP = 0.05


def results(runs: Path, methods: Iterable[str]) -> dict[str, Any]:
    """Return the figures of all runs in a folder, by method, a list with one per seed."""
    found: dict[str, Any] = {}
    for name in methods:
        records = [json.loads(path.read_text()) for path in sorted(runs.glob(f"{name}-?.json"))]
        if records:
            found[name] = [figures(record) for record in records]
    return found


def figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one run.

    The corrected loss is the residual of a linear regression of the loss on the logarithm of the
    passes of its operations, of the random cells of the run.
    """
    cells = [cell_of(text) for text in record["losses"]]
    truth = np.array([table_accuracy(cell) for cell in cells])
    loss = np.array(list(record["losses"].values()))
    size = rankdata([-parameters(cell) for cell in cells])
    scores = {"loss": loss, "loss and size": rankdata(loss) + size}
    if any(record["uses"]):
        scores["corrected"] = _residual(loss, _passes(record))
        scores["corrected and size"] = rankdata(scores["corrected"]) + size
    pairs = [tuple(table_accuracy(cell_of(text)) for text in pair) for pair in record["pairs"]]
    right = [fast > slow for fast, slow in pairs if fast != slow]
    return {
        "seed": record["seed"],
        **{name: _ranked(score, truth) for name, score in scores.items()},
        "size": _ranked(size, truth),
        "pair accuracy": sum(right) / len(right),
    }


def _passes(record: Mapping[str, Any]) -> Vector:
    names = list(SPACE.operations)
    uses = np.array(record["uses"]).reshape(6, len(names))
    return np.array(
        [
            sum(math.log1p(uses[e, names.index(o)]) for e, o in enumerate(cell_of(text).operations))
            for text in record["losses"]
        ]
    )


def _residual(loss: Vector, passes: Vector) -> Vector:
    slope, offset = np.polyfit(passes, loss, 1)
    residual: Vector = loss - (slope * passes + offset)
    return residual


def _ranked(score: Vector, truth: Vector) -> dict[str, float]:
    """Return how well a score, where lower is better, ranks architectures by the truth."""
    half = truth >= np.median(truth)
    top = max(1, round(TOP * len(truth)))
    best = set(np.argsort(-truth, kind="stable")[:top])
    chosen = set(np.argsort(score, kind="stable")[:top])
    return {
        "tau": float(kendalltau(-score, truth)[0]),
        "top half": float(kendalltau(-score[half], truth[half])[0]),
        "precision": len(best & chosen) / top,
    }


def table(found: Mapping[str, Any]) -> str:
    """Return the table as Markdown: means over the seeds with 95 % intervals."""
    lines = [
        "| method | tau | tau, top half | P@top 5 % | tau with size | pair accuracy |",
        "|---|---|---|---|---|---|",
    ]

    def row(name: str, score: str, runs: list[Any], pairs: str) -> str:
        cells = [plus_minus([run[score][m] for run in runs]) for m in ("tau", "top half")]
        cells.append(plus_minus([run[score]["precision"] for run in runs]))
        both = f"{score} and size"
        cells.append(plus_minus([run[both]["tau"] for run in runs]) if both in runs[0] else "")
        return f"| {' | '.join([name, *cells, pairs])} |"

    for name, runs in found.items():
        lines.append(row(name, "loss", runs, plus_minus([run["pair accuracy"] for run in runs])))
        if all("corrected" in run for run in runs):
            lines.append(row(f"{name}, corrected for passes", "corrected", runs, ""))
    every: list[Any] = next(iter(found.values()), [])
    if every:
        lines.append(row("number of parameters", "size", every, ""))
    return "\n".join(lines)
