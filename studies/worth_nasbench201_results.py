"""Figures and tables of the study `worth_nasbench201`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from nasbench201_table import cell_of, every_cell, parameters, table_accuracy
from samplers_nasbench201_results import plus_minus


def results(records: Iterable[Mapping[str, Any]], rows: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of all runs, with the accuracy of the table and the regret in points."""
    found = {}
    for record in records:
        cell = cell_of(record["found"])
        accuracy = table_accuracy(cell)
        found[record["row"], record["limit"], record["seed"]] = {
            **record,
            "accuracy": round(accuracy, 3),
            "regret": round(_best(record["limit"]) - accuracy, 3),
            "parameters": parameters(cell),
        }
    return sorted(found.values(), key=lambda r: (r["limit"], rows.index(r["row"]), r["seed"]))


@cache
def _best(limit: int) -> float:
    """Return the accuracy of the best cell within a limit."""
    cells = (cell for cell in every_cell() if not limit or parameters(cell) <= limit)
    return max(map(table_accuracy, cells))


def tables(found: Sequence[Mapping[str, Any]]) -> str:
    """Return a table per limit as Markdown, with 95 % intervals over the seeds."""
    text = []
    for limit in sorted({record["limit"] for record in found}):
        here = [record for record in found if record["limit"] == limit]
        bound = f"at most {limit / 1e6:.1f} M parameters" if limit else "no limit"
        text += [
            f"{bound}, best accuracy {_best(limit):.2f} %",
            "",
            "| | accuracy % | regret | median regret | passes | seeds |",
            "|---|---|---|---|---|---|",
        ]
        for row in dict.fromkeys(record["row"] for record in here):
            runs = [record for record in here if record["row"] == row]
            regrets = [record["regret"] for record in runs]
            passes = statistics.mean(record["passes"] for record in runs)
            text.append(
                f"| {row} | {statistics.mean(r['accuracy'] for r in runs):.2f} | "
                f"{plus_minus(regrets)} | {statistics.median(regrets):.2f} | {passes:.0f} | "
                f"{len(runs)} |"
            )
        text.append("")
    return "\n".join([*text, *_over_limits(found)])


def _over_limits(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of all limits together, with the regret beside that of the first row."""
    rows = list(dict.fromkeys(record["row"] for record in found))
    regrets = {
        row: {(r["seed"], r["limit"]): r["regret"] for r in found if r["row"] == row}
        for row in rows
    }
    first = regrets[rows[0]]
    text = [
        "all limits, runs with a seed and a limit that the first row has too",
        "",
        "| | regret | regret beyond the first row's | runs |",
        "|---|---|---|---|",
    ]
    for row in rows:
        shared = [run for run in first if run in regrets[row]]
        if shared:
            mean = statistics.mean(regrets[row][run] for run in shared)
            beyond = plus_minus([regrets[row][run] - first[run] for run in shared])
            beyond = "" if row == rows[0] else beyond
            text.append(f"| {row} | {mean:.2f} | {beyond} | {len(shared)} |")
    return text
