"""Write the comparison of samplers as tables and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from against_problems import TABLE_TRIALS
from against_samplers import OURS
from against_statistics import (
    LEVEL,
    average_ranks,
    comparisons,
    interval,
    mean_ratios,
    seeds_of,
)
from against_traces import checkpoints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from against_statistics import Regrets, Vector


def overview(regrets: Regrets, names: Sequence[str], groups: dict[str, list[str]]) -> str:
    """Average ranks, and our regret in units of theirs, for each group of problems."""
    lines = []
    for group, problems in groups.items():
        seeds = sorted({seeds_of(regrets, names, problem) for problem in problems})
        lines += [
            f"### {group}: {len(problems)} problems, {'-'.join(map(str, seeds))} seeds",
            "",
            "| sampler | "
            + " | ".join(f"rank at {t}" for t in _checkpoints(regrets, problems))
            + " | regret at 100: ours / theirs |",
            "|---" * (len(_checkpoints(regrets, problems)) + 2) + "|",
        ]
        ratios = mean_ratios(regrets, names, problems, 100, OURS)
        ranks = [
            average_ranks(regrets, names, problems, t) for t in _checkpoints(regrets, problems)
        ]
        for name in names:
            cells = [f"{at[name]:.2f}" for at in ranks]
            lines.append(f"| {name} | {' | '.join(cells)} | {ratios[name]:.2f} |")
        lines.append("")
    return "\n".join(lines)


def details(regrets: Regrets, names: Sequence[str], problems: Sequence[str]) -> str:
    """Mean regret and its 95 % interval after 100 trials, problem by problem."""
    lines = ["| problem, after 100 trials | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for problem in problems:
        cells = []
        for name in names:
            values = regrets[name].get(problem)
            if values is None:
                cells.append("")
                continue
            cells.append(_mean(values[:, 99]))
        lines.append(f"| {problem} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def behind(regrets: Regrets, other: str, problems: Sequence[str]) -> str:
    """Return lines that count the significant wins and losses against another sampler over time."""
    lines = []
    for trials in _checkpoints(regrets, problems):
        found = comparisons(regrets, OURS, other, problems, trials)
        sure = {problem: d for problem, (d, p) in found.items() if p < LEVEL}
        worse = [problem for problem, d in sure.items() if d > 0]
        lines.append(
            f"- after {trials} trials ahead of {other} on {len(sure) - len(worse)} of "
            f"{len(found)}, behind on {len(worse)}" + (f": {', '.join(worse)}" if worse else "")
        )
    return "\n".join(lines) + "\n"


def trust(regrets: Regrets, trusted: Regrets, once: Mapping[str, Vector]) -> str:
    """Return a table that compares the trial with the lowest score with the trusted one.

    Args:
        regrets: Regrets of the trials with the lowest score.
        trusted: Regrets of the trials that `trusted_trial` returns.
        once: Regrets of this package's sampler without re-evaluation.
    """
    lines = [
        "### What `trusted_trial` is worth: its regret / that of the lowest score",
        "",
        "Geometric means over the tables with noise.",
        "",
        "| sampler | " + " | ".join(f"after {t}" for t in checkpoints(TABLE_TRIALS)) + " |",
        "|---" * 5 + "|",
    ]
    rows = {name: (found, regrets[name]) for name, found in trusted.items()}
    if once:
        rows[f"{OURS} / without scoring again"] = trusted[OURS], once
    for name, (found, lowest) in rows.items():
        both = [p for p, v in found.items() if v.shape[1] == TABLE_TRIALS and p in lowest]
        pair = {"trusted": found, "lowest": lowest}
        cells = [
            f"{mean_ratios(pair, list(pair), both, t, 'trusted')['lowest']:.2f}" if both else ""
            for t in checkpoints(TABLE_TRIALS)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def ablation(ours: Mapping[str, Vector], variants: Regrets) -> str:
    """Mean regrets of our sampler with one part of it changed, on NAS-Bench-201."""
    every = {problem for found in variants.values() for problem in found}
    problems = [problem for problem in sorted(every) if problem.startswith("nasbench201")]
    lines = ["### What each part is worth: regret after 50, 100 and 200 trials", ""]
    lines += ["| | " + " | ".join(problems) + " |", "|---" * (len(problems) + 1) + "|"]
    for name, found in {OURS: ours, **variants}.items():
        if not found:
            continue
        cells = [
            ", ".join(f"{found[p][:, t - 1].mean():.3g}" for t in (50, 100, 200))
            if p in found
            else ""
            for p in problems
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def anchors(regrets: Regrets) -> str:
    """Return tables of the mean regret on NAS-Bench-201 of all samplers, and of simple searches."""
    problems = [p for p in sorted(regrets[OURS]) if p.startswith("nasbench201")]
    lines = []
    for trials in (50, 100):
        lines += [
            f"### NAS-Bench-201 beside simple searches: regret after {trials} trials",
            "",
            "Mean and its 95 % interval, by the seeds that are stored.",
            "",
            "| | seeds | " + " | ".join(problems) + " |",
            "|---" * (len(problems) + 2) + "|",
        ]
        for name, found in regrets.items():
            values = [found[problem][:, trials - 1] for problem in problems if problem in found]
            if values:
                cells = [_mean(found[p][:, trials - 1]) if p in found else "" for p in problems]
                lines.append(f"| {name} | {len(values[0])} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _mean(values: Vector) -> str:
    low, high = interval(values)
    return f"{values.mean():.3g} ({low:.3g} to {high:.3g})"


def chart(regrets: Regrets, names: Sequence[str], groups: dict[str, list[str]], path: Path) -> None:
    """Average rank against trials for each group, and regret on each table of NAS-Bench-201."""
    from matplotlib import pyplot as plt

    tables = [p for p in next(iter(groups.values())) if p.startswith("nasbench201")]
    figure, axes = plt.subplots(
        2, max(len(groups), len(tables)), figsize=(12, 7), layout="constrained", squeeze=False
    )
    colours = {name: f"C{i}" for i, name in enumerate([*names, "GP"])}
    for axis, (group, problems) in zip(axes[0], groups.items(), strict=False):
        end = min(regrets[OURS][problem].shape[1] for problem in problems)
        at = np.unique(np.geomspace(10, end, 40).astype(int))
        ranks = [average_ranks(regrets, names, problems, int(t)) for t in at]
        for name in names:
            width = 2.5 if name == OURS else 1.2
            axis.plot(at, [r[name] for r in ranks], label=name, color=colours[name], lw=width)
        axis.set(title=group, xscale="log", xlabel="trials", ylabel="average rank")
        axis.invert_yaxis()
    for axis, problem in zip(axes[1], tables, strict=False):
        for name in [*names, "GP"]:
            values = regrets.get(name, {}).get(problem)
            if values is None:
                continue
            width = 2.5 if name == OURS else 1.2
            at = np.unique(np.geomspace(10, values.shape[1], 40).astype(int))
            means = values[:, at - 1].mean(axis=0)
            axis.plot(at, means, label=name, color=colours[name], lw=width)
            bounds = np.array([interval(values[:, t - 1]) for t in at])
            axis.fill_between(at, *bounds.T, color=colours[name], alpha=0.12, lw=0)
        axis.set(title=problem, xscale="log", xlabel="trials", ylabel="regret in points")
        axis.set_yscale("symlog", linthresh=0.1)
        axis.set_ylim(bottom=0)
    for axis in axes.ravel():
        if not axis.has_data():
            axis.axis("off")
    handles, labels = axes[1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _checkpoints(regrets: Regrets, problems: Sequence[str]) -> list[int]:
    return checkpoints(min(regrets[OURS][problem].shape[1] for problem in problems))
