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
    """Return a table per limit as Markdown.

    A row is beyond the first one by the mean of the differences between runs with one seed, with a
    95 % interval.
    """
    text = []
    for limit in sorted({record["limit"] for record in found}):
        here = [record for record in found if record["limit"] == limit]
        rows = list(dict.fromkeys(record["row"] for record in here))
        bound = f"at most {limit / 1e6:.1f} M parameters" if limit else "no limit"
        text += [
            f"{bound}, best accuracy {_best(limit):.2f} %",
            "",
            "| | mean regret | lowest to highest | beyond the first row | passes | runs |",
            "|---|---|---|---|---|---|",
        ]
        first = {record["seed"]: record["regret"] for record in here if record["row"] == rows[0]}
        for row in rows:
            runs = [record for record in here if record["row"] == row]
            regrets = [run["regret"] for run in runs]
            paired = [run["regret"] - first[run["seed"]] for run in runs if run["seed"] in first]
            beyond = "" if row == rows[0] or not paired else plus_minus(paired)
            passes = statistics.mean(run["passes"] for run in runs)
            text.append(
                f"| {row} | {statistics.mean(regrets):.2f} | {min(regrets):.2f} to "
                f"{max(regrets):.2f} | {beyond} | {passes:.0f} | {len(runs)} |"
            )
        text.append("")
    return "\n".join(text)
